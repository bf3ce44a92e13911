"""Pages as a person meets them: in a real Chromium, of any width, with scripts off, in the dark, on paper."""

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from kerashw.__main__ import main
from kerashw.drawing import draw
from kerashw.figures import confusion_matrix, learning_curves, predictions

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("there is no Chromium here: apt-get install chromium", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")

STUDY = '''"""A study with many settings, many trials and failures."""

from kerashw.models import mlp
from kerashw.space import Choice, Random, Real
from kerashw.study import Study

STUDY = Study(
    data="regression", model=mlp, folds=2, search=Random(trials=24),
    settings=dict(hidden=(2,), learning_rate=Choice(0.01, 0.05, 1e30), l2=Real(1e-5, 1e-2, log=True),
                  momentum=Real(0.0, 0.9), optimizer="sgd", dropout=Choice(0.0, 0.1), batch_size=8, epochs=1),
    arms=dict(one={}, other=dict(search=Random(trials=1))),
)
'''
WIDTHS = (360, 1400)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages of two arms and of their comparison, with some figures each, as paths by name."""
    place = tmp_path_factory.mktemp("place")
    (place / "data").mkdir()
    rows = "".join(f"{number / 10},{number % 7}\n" for number in range(24))
    for name in ("train_data.csv", "test_data.csv"):
        (place / "data" / name).write_text("x,y\n" + rows)
    (place / "study.py").write_text(STUDY)
    variables = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("KERASHW_")}
    with contextlib.chdir(place):
        assert main(["tune", "--task", "study.py", "--data-dir", "data", "--no-figures", "-q"]) == 0
        counts = np.arange(100).reshape(10, 10)
        images = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype="uint8")
        labels, classes = [str(number) for number in range(12)], [str(number) for number in range(10)]
        curves = dict(history={"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.0]}, monitor="val_loss")
        for folder in ("study/one/figures", "study/figures"):
            figures = Path("saved_models") / folder
            draw(figures, "curves_search", learning_curves, **curves)
            draw(figures, "curves_refit", learning_curves, **curves)
            draw(figures, "confusion_matrix", confusion_matrix, counts=counts, classes=classes)
            draw(figures, "predictions", predictions, images=images, predicted=labels, actual=labels,
                 confidence=np.ones(12))  # fmt: skip
            draw(figures, "layers_of_a_kind", learning_curves, **curves)
        assert main(["report", "saved_models/study", "--no-figures", "-q"]) == 0
    os.environ.update(variables)
    top = place / "saved_models/study"
    return {"run": top / "one/report.html", "no pictures": top / "other/report.html", "comparison": top / "report.html"}


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        # Chromium's own sandbox does not work as root in a container, where tests often run.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, pages):
    """A function that opens a page by name, and lists of what the browser complained of and asked for."""
    contexts, said, asked = [], [], []

    def open_page(name, *, width=1400, **options):
        # Without smooth scrolling there is nothing to wait for.
        context = browser.new_context(reduced_motion="reduce", viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(pages[name].as_uri())
        return page

    open_page.said, open_page.asked = said, asked
    yield open_page
    for context in contexts:
        context.close()


NAMES = ("run", "no pictures", "comparison")


@pytest.mark.parametrize("name", NAMES)
def test_the_browser_complains_of_nothing_and_asks_for_nothing_but_the_file(name, opened, pages):
    page = opened(name)
    page.wait_for_load_state("networkidle")
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith("data:")] == [pages[name].as_uri()]


BLANK = """image => {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const seen = new Set(new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer));
  return seen.size;
}"""


@pytest.mark.parametrize(("name", "count"), [("run", 5), ("no pictures", 0), ("comparison", 5)])
def test_every_picture_has_loaded_is_described_and_not_blank(name, count, opened):
    pictures = opened(name).locator("img").all()
    assert len(pictures) == count
    for picture in pictures:
        assert picture.evaluate("image => image.complete && image.naturalWidth > 300")
        assert picture.evaluate(BLANK) > 5  # colours
        assert picture.get_attribute("alt")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wider_than_the_window(name, width, opened):
    page = opened(name, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Also not what is cut off: only what scrolls in its own box may reach beyond the edge.
    beyond = page.evaluate("""Array.from(document.querySelectorAll("body *"))
        .filter(one => !one.closest(".scroll, pre") && one.getBoundingClientRect().right > innerWidth + 0.5)
        .map(one => one.outerHTML.slice(0, 80))""")
    assert beyond == []


def column(page, heading):
    """The texts of a column of the leaderboard."""
    heads = page.locator("#leaderboard th").all_inner_texts()
    place = next(number for number, head in enumerate(heads, 1) if head.startswith(heading))
    return page.locator(f"#leaderboard td:nth-child({place})").all_inner_texts()


def numbers(texts):
    return [float(text.replace(",", "")) for text in texts if text]


def test_a_click_on_a_heading_sorts_by_number_and_a_second_one_the_other_way_with_empty_fields_last(opened):
    page = opened("run")
    ranks = column(page, "rank")
    assert len(ranks) == 24 and numbers(ranks) == sorted(numbers(ranks)) and "" in ranks
    lost = ranks.count("")
    head = page.locator("#leaderboard th", has_text="mean")
    for order, falling in (("ascending", False), ("descending", True), ("ascending", False)):
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == order
        means = column(page, "mean")
        assert numbers(means) == sorted(numbers(means), reverse=falling)
        assert means[-lost:] == [""] * lost
    page.locator("#leaderboard th", has_text="status").get_by_role("button").click()
    assert head.get_attribute("aria-sort") is None
    assert column(page, "status") == sorted(column(page, "status"))
    page.locator("#leaderboard th", has_text="l2").get_by_role("button").press("Enter")
    assert numbers(column(page, "l2")) == sorted(numbers(column(page, "l2")))


def test_the_headings_of_a_long_leaderboard_stay_in_sight(opened):
    page = opened("run")
    box, head = page.locator("#leaderboard .scroll"), page.locator("#leaderboard th").first
    before = head.bounding_box()["y"]
    assert box.evaluate("box => { box.scrollTop = 200; return box.scrollTop }") == 200
    assert head.bounding_box()["y"] == pytest.approx(before, abs=1)


def test_with_scripts_off_all_is_there_to_read(opened):
    page, full = opened("run", java_script_enabled=False), opened("run")
    assert page.locator("button").count() == 0
    assert len(column(page, "rank")) == 24
    assert page.locator("main").inner_text() == full.locator("main").inner_text()


def test_the_contents_lead_to_every_section(opened):
    page = opened("run")
    for link in page.locator("nav a").all():
        link.click()
        assert page.evaluate("document.querySelector(location.hash).tagName") == "SECTION"


def lightness(colour):
    """From 0, black, to 255, white, of "rgb(...)"."""
    return sum(map(float, colour.split("(")[1].rstrip(")").split(",")[:3])) / 3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_the_dark_the_page_is_dark_and_pictures_stay_on_white(scheme, name, opened):
    page = opened(name, color_scheme=scheme)

    def colour(selector, which):
        return page.locator(selector).first.evaluate(f"one => getComputedStyle(one).{which}")

    paper, ink = lightness(colour("body", "backgroundColor")), lightness(colour("body", "color"))
    assert (paper < 40 and ink > 200) if scheme == "dark" else (paper > 240 and ink < 60)
    if page.locator("img").count():
        assert lightness(colour("figure img", "backgroundColor")) == 255


def test_on_paper_there_is_no_navigation_and_no_table_is_cut_off(opened):
    page = opened("run", width=760, color_scheme="dark")
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 760
    assert page.locator("#leaderboard .scroll").evaluate("box => getComputedStyle(box).overflow") == "visible"
    assert lightness(page.locator("body").evaluate("one => getComputedStyle(one).backgroundColor")) == 255
    assert page.pdf(format="A4").startswith(b"%PDF")
