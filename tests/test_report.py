"""The pages of runs: what stands where, that it agrees with the records, and what the verbs do without something."""

import contextlib
import json
import os
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from kerashw import report
from kerashw.__main__ import main
from kerashw.compare import names_of
from kerashw.drawing import draw
from kerashw.errors import WorkError
from kerashw.figures import learning_curves
from kerashw.pages import write_report
from kerashw.pages.blocks import Cell, Code, Facts, Notice, Page, section, table
from kerashw.pages.comparison import differences, results
from kerashw.pages.html import html
from kerashw.pages.kept import Kept
from kerashw.pages.pictures import FURTHER, section_of
from kerashw.pictures import COMPARISONS, FIGURES
from kerashw.run import Run, write_json

POINTS = "x,y\n" + "".join(f"{place / 10},{place % 7}\n" for place in range(24))
STUDY = '''"""A study of my own."""

from kerashw.models import cnn, linear, mlp
from kerashw.space import Choice, Grid
from kerashw.study import Published, Study

STUDY = Study({})
'''
STUDIES = {
    # The last rate diverges, so that there is a failed trial.
    "points": 'data="regression", model=mlp, settings=dict(hidden=(4,), learning_rate=Choice(0.05, 0.01, 1e30), '
              'epochs=2), folds=3, together=False, search=Grid(), published=Published("test_mse", 0.07, "a report")',
    "images": 'data="letters", model=cnn, settings=dict(filters=(2,), kernel_size=3, hidden=(4,), epochs=1, '
              'learning_rate=0.1), search=Grid(), gradient_check=True',
    "arms": 'data="regression", model=linear, settings=dict(learning_rate=0.1, epochs=2), folds=3, search=Grid(), '
            'arms=dict(polynomial=dict(degree=2), line=dict(degree=1))',
}  # fmt: skip
ORDER = ["verdict", "provenance", "data", "space", "leaderboard", "analysis", "advice", "training", "architecture",
         "evaluation", "inside", "checks", "export"]  # fmt: skip


@pytest.fixture(autouse=True)
def no_variables_of_kerashw(monkeypatch):
    for variable in [name for name in os.environ if name.startswith("KERASHW_")]:
        monkeypatch.delenv(variable)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with three finished runs on made data: points with figures, images and arms without."""
    place = tmp_path_factory.mktemp("place")
    (place / "data/regression").mkdir(parents=True)
    for name in ("train_data.csv", "test_data.csv"):
        (place / "data/regression" / name).write_text(POINTS)
    images = np.random.default_rng(0).integers(0, 256, (48, 8, 8), dtype="uint8")
    letters = dict(x_train=images, y_train=np.arange(48) % 3, x_test=images[:20], y_test=np.arange(20) % 3)
    (place / "letters").mkdir()
    np.savez(place / "letters/letters.npz", **letters)
    with contextlib.chdir(place):
        for name, fields in STUDIES.items():
            (place / f"{name}.py").write_text(STUDY.format(fields))
            assert tune(name, *([] if name == "points" else ["--no-figures"])) == 0
    return place


def tune(name, *more):
    """The exit code of the command that made a run."""
    data = "letters" if name == "images" else "data"
    return main(["tune", "--task", f"{name}.py", "--data-dir", data, "-q", *more])


@pytest.fixture
def there(place, monkeypatch):
    """The same folder, in which the test's commands are given."""
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def copied(place, tmp_path, monkeypatch):
    """A copy of the folder, for tests that change something in it."""
    shutil.copytree(place, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


class Reader(HTMLParser):
    """What a page holds: text, section anchors, links, pictures, tables as lists of rows."""

    def __init__(self, path):
        super().__init__()
        self.text, self.sections, self.links, self.pictures, self.tables, self.alerts = "", [], [], [], [], 0
        self.words = self.skipped = None
        self.feed(Path(path).read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.skipped = tag if tag in ("style", "script") else self.skipped
        self.sections += [attributes["id"]] if tag == "section" else []
        self.links += [attributes["href"]] if "href" in attributes else []
        self.pictures += [attributes] if tag == "img" else []
        self.alerts += attributes.get("role") == "alert"
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.words = self.tables[-1][-1]

    def handle_endtag(self, tag):
        self.skipped = None if tag == self.skipped else self.skipped
        self.words = None if tag in ("td", "th") else self.words

    def handle_data(self, data):
        if not self.skipped:
            self.text += data
            if self.words is not None:
                self.words[-1] += data.strip()

    def table(self, heading):
        """The rows of the table that has a column of this name."""
        return next(rows for rows in self.tables if heading in rows[0])

    def column(self, heading):
        """The fields of a column."""
        head, *rows = self.table(heading)
        return [row[head.index(heading)] for row in rows]


RUNS = Path("saved_models")


def page(name):
    return Reader(RUNS / name / "report.html")


def test_the_sections_stand_in_the_order_in_which_a_reader_asks(there):
    for name, missing in (("points", {}), ("images", {"analysis", "advice", "inside"})):
        found = page(name)
        assert found.sections == [one for one in ORDER if one not in missing]
        assert {f"#{one}" for one in found.sections} <= {*found.links}


def test_the_verdict_names_the_result_its_certainty_what_it_is_held_against_and_the_command(there):
    metrics, text = Run(RUNS / "points").metrics(), page("points").text
    assert metrics["interval"]["low"] < metrics["test"]["mse"] < metrics["interval"]["high"]
    for value in (metrics["test"]["mse"], metrics["baseline"]["value"], metrics["interval"]["low"]):
        assert f"{value:#.4g}" in text
    assert "a report; below our interval" in text
    assert "1 trial failed (diverged: 1)" in text
    assert "python -m kerashw.tune --task points.py --data-dir data -q" in text


def test_the_page_tells_where_the_run_comes_from(there):
    study, text = Run(RUNS / "images").study(), page("images").text
    for value in (study["data_sha256"], study["versions"]["tensorflow"], "48 training, 20 test", "8 x 8 values"):
        assert value in text


def test_classes_are_counted_for_both_parts(there):
    found = page("images")
    assert found.column("training items") == ["16", "16", "16"]
    assert found.column("test items") == ["7", "7", "6"]


def test_the_leaderboard_has_every_trial_with_its_folds_the_best_first_and_the_failed_last(there):
    found = page("points")
    assert found.column("rank") == ["1", "2", ""]
    assert found.column("status") == ["completed", "completed", "failed"]
    assert found.column("reason") == ["", "", "diverged"]
    means, folds = found.column("mean"), [found.column(f"fold {fold}") for fold in (1, 2, 3)]
    assert float(means[0]) == pytest.approx(sum(float(fold[0]) for fold in folds) / 3, rel=1e-3)
    assert float(means[0]) == pytest.approx(Run(RUNS / "points").metrics()["validation"]["score"], rel=1e-3)


def test_the_layers_have_shapes_parameters_and_receptive_fields(there):
    found = page("images")
    layers = dict(zip(found.column("layer"), zip(found.column("output"), found.column("receptive field"))))
    assert layers["conv_1"] == ("6 x 6 x 2", "3 x 3")
    assert layers["output"] == ("3", "the whole input")
    metrics = Run(RUNS / "images").metrics()
    rows = found.table("layer")
    count = sum(int(row[rows[0].index("parameters")].replace(",", "")) for row in rows[1:])
    assert count == metrics["parameters"]


def test_the_files_of_the_model_are_named_with_what_they_hash_to(there):
    from hashlib import sha256

    found = page("points")
    hashes = dict(zip(found.column("file"), found.column("SHA-256")))
    assert hashes["model.keras"] == sha256((RUNS / "points/model.keras").read_bytes()).hexdigest()
    assert "model/1/saved_model.pb" in hashes


def test_the_numerical_checks_are_told_with_their_largest_differences(there):
    metrics, text = Run(RUNS / "images").metrics(), page("images").text
    assert f"{metrics['gradient_check']['float64']['smallest_difference']:.2g} in float64" in text
    assert "SavedModel against Keras" in text and "the answers of the file to 20 test items" in text


def test_every_figure_is_on_the_page_once_with_its_caption_and_links_that_lead_to_it(there):
    found, folder = page("points"), RUNS / "points"
    files = sorted((folder / "figures").glob("*.json"))
    kept = [json.loads(file.read_text()) for file in files]
    assert sorted(picture["alt"] for picture in found.pictures) == sorted(one["title"] for one in kept)
    assert all(one["caption"] in found.text for one in kept)
    assert all(picture["src"].startswith("data:image/") for picture in found.pictures)
    links = [link for link in found.links if not link.startswith("#")]
    assert {f"figures/{file.stem}{suffix}" for file in files for suffix in (".png", ".json")} <= {*links}
    assert all((folder / link).exists() for link in links)


def test_every_figure_of_ours_has_a_section():
    assert [name for name in (*FIGURES, *COMPARISONS) if section_of(name) == FURTHER] == []


def test_a_file_of_the_model_that_has_gone_is_told_as_missing(copied):
    run = Run(copied / "saved_models/points")
    next(run.saved_model.glob("fingerprint.pb")).unlink()
    assert "missing" in write_report(run).read_text(encoding="utf-8")


def test_a_figure_that_nobody_assigned_comes_last(copied):
    draw(RUNS / "points/figures", "novelty", learning_curves, history={"loss": [2.0, 1.0]}, title="Something new")
    write_report(Run(RUNS / "points"))
    found = page("points")
    assert found.sections[-1] == FURTHER
    assert found.pictures[-1]["alt"] == "Something new"


def test_a_run_without_figures_says_how_to_draw_them(there):
    found = page("images")
    assert found.pictures == []
    assert "`python -m kerashw.report saved_models/images` draws them" in found.text


def test_stand_in_data_are_told_before_everything(copied):
    assert page("points").alerts == 0
    run = Run(RUNS / "points")
    write_json(run.metrics_file, {**run.metrics(), "stand_in": True, "data": "stand-in: made up"})
    write_report(run)
    found = page("points")
    assert found.alerts == 1
    assert found.text.index("STAND-IN DATA: measured on stand-in: made up") < found.text.index("Verdict")
    assert "so it cannot be compared" in found.text


def test_a_model_that_is_no_better_than_the_baseline_is_told_loudly(copied):
    run = Run(RUNS / "points")
    metrics = run.metrics()
    for value, expected in ((metrics["test"]["mse"] / 2, True), (metrics["test"]["mse"] * 2, False)):
        write_json(run.metrics_file, {**metrics, "baseline": {**metrics["baseline"], "value": value}})
        write_report(run)
        assert ("no better than the baseline" in page("points").text) == expected


def test_the_page_needs_nothing_but_itself_and_the_same_records_give_the_same_page(there):
    path = RUNS / "points/report.html"
    before = path.read_bytes()
    assert not re.search(r'(?:src|href)="(?:\w+:)?//|url\(|@import|<link|<iframe', before.decode())
    assert main(["report", "saved_models/points", "--no-figures", "-q"]) == 0
    assert path.read_bytes() == before


def test_all_text_is_escaped():
    hostile = "<script>alert('&')</script>"
    of_cells = table({hostile: [Cell(hostile, link=hostile)]})
    blocks = (Notice(hostile), Facts({hostile: hostile}), Code(hostile), of_cells)
    text = html(Page(hostile, hostile, hostile, (section("s", hostile, *blocks),)))
    assert text.count("<script>") == 1  # the page's own
    assert text.count("alert(") == text.count("&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;") > 10


def state(folder):
    """What a report must not change."""
    names = ("study.json", "metrics.json", "trials.db", "trials.csv", "history.csv", "model.keras")
    return {name: (folder / name).read_bytes() for name in names}


def test_report_draws_the_figures_again_and_trains_nothing(copied, capsys):
    folder = RUNS / "points"
    before, figures = state(folder), sorted(file.name for file in (folder / "figures").iterdir())
    shutil.rmtree(folder / "figures")
    (folder / "report.html").unlink()
    assert main(["report", "saved_models/points"]) == 0
    assert capsys.readouterr().out == "saved_models/points/report.html\n"
    assert sorted(file.name for file in (folder / "figures").iterdir()) == figures
    assert state(folder) == before
    assert len(page("points").pictures) == len(figures) / 2


def test_a_page_is_written_where_the_data_have_gone_but_figures_are_not(copied, capsys):
    run = Run(RUNS / "points")
    write_json(run.study_file, {**run.study(), "data_dir": "gone"})
    assert main(["report", "saved_models/points", "--no-figures", "-q"]) == 0
    before = run.report_file.stat().st_mtime_ns
    assert main(["report", "saved_models/points", "-q"]) == 2
    assert capsys.readouterr().err.startswith("kerashw: --data-dir gone is missing")
    assert run.report_file.stat().st_mtime_ns == before


def test_a_report_that_a_kill_prevented_is_written_by_the_same_command(copied, capsys):
    for name, path in (("points", "points"), ("arms", "arms"), ("arms", "arms/line")):
        before = (RUNS / path / "report.html").read_bytes()
        (RUNS / path / "report.html").unlink()
        assert tune(name, "--no-figures") == 0
        assert "finished before" in capsys.readouterr().err
        assert (RUNS / path / "report.html").read_bytes() == before


def test_a_comparison_that_is_begun_anew_loses_its_page_until_all_arms_are_done(copied, monkeypatch):
    def killed(*args, **kwargs):
        assert not (RUNS / "arms/report.html").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr("kerashw.tune.run_one", killed)
    assert tune("arms", "--no-figures", "--overwrite") == 130


def test_the_folder_above_the_arms_has_a_page_that_compares_them_and_links_to_each(there):
    found = page("arms")
    assert found.column("run") == ["polynomial", "line"]  # as the study has them
    assert {"polynomial/report.html", "line/report.html"} <= {*found.links}
    head, *rows = found.table("setting")
    assert ["degree", "2", "1"] in rows
    assert found.column("folds") == ["3"] and found.column("test items") == ["24"]
    arms = [page(f"arms/{arm}") for arm in found.column("run")]
    scores = [[float(arm.column(f"fold {fold}")[0]) for fold in (1, 2, 3)] for arm in arms]
    assert float(found.column("mean difference")[0]) == pytest.approx(np.mean(scores[0]) - np.mean(scores[1]), rel=0.01)


@pytest.mark.slow
def test_report_of_a_comparison_draws_all_and_writes_every_page(copied, capsys):
    assert main(["report", "saved_models/arms", "-q"]) == 0
    expected = ["arms/polynomial", "arms/line", "arms"]
    assert capsys.readouterr().out.split() == [f"saved_models/{one}/report.html" for one in expected]
    found = page("arms")
    assert [picture["alt"] for picture in found.pictures][0] == "Compared: results"
    assert len(found.pictures) == len(list((RUNS / "arms/figures").glob("*.png"))) > 3
    assert len(page("arms/line").pictures) > 5


def test_compare_puts_a_page_above_the_runs_with_its_figures_beside_it(copied, capsys):
    assert main(["compare", "saved_models/arms", "saved_models/points", "-q"]) == 0
    assert capsys.readouterr().out == "saved_models/compare.html\n"
    found = Reader(RUNS / "compare.html")
    assert found.column("run") == ["polynomial", "line", "points"]
    assert len(found.pictures) == len(list((RUNS / "compare_files/figures").glob("*.png"))) > 3
    links = [link for link in found.links if not link.startswith("#")]
    assert links and all((RUNS / link).exists() for link in links)
    assert len(found.column("mean difference")) == 3  # pairs


def test_runs_on_other_data_are_compared_with_a_warning(there):
    one = Kept.read(Run(RUNS / "points"))
    other = replace(one, study={**one.study, "data_sha256": "another"})
    for pair, expected in (((one, one), 0), ((one, other), 1)):
        found = results(dict(zip("ab", pair)), {}, there)
        assert sum(isinstance(block, Notice) and block.loud for block in found.blocks) == expected


def test_a_run_of_a_version_that_lacked_a_setting_has_its_default(there):
    one = Kept.read(Run(RUNS / "points"))
    settings = {name: value for name, value in one.metrics["settings"].items() if name != "dtype_policy"}
    for changed, told in (({}, "asked for the same"), ({"dtype_policy": "mixed_bfloat16"}, "winner: dtype_policy")):
        other = replace(one, metrics={**one.metrics, "settings": {**settings, **changed}})
        assert told in str(differences({"a": one, "b": other}))


WRONG = {
    "a folder that is not there": (["report", "nowhere"], "nowhere: no such run folder"),
    "a folder that is no run": (["report", "data"], "data: not a run folder"),
    "an unfinished run": (["report", "saved_models/begun"], "saved_models/begun: this run is not finished"),
    "nothing to report on": (["report"], "RUN"),
    "a single run": (["compare", "saved_models/points"], "at least two runs"),
    "a run beside itself": (["compare", "saved_models/points", "saved_models/points/"], "each named once"),
    "other metrics": (["compare", "saved_models/points", "saved_models/images"], "tested by the same metrics"),
    "a page of another kind": (["compare", "saved_models/arms", "--out", "page.pdf"], "ends in .html"),
    "the page of a run": (["compare", "saved_models/arms", "--out", "saved_models/points/report.html"], "folder of a run"),
    "a page below a file": (["compare", "saved_models/arms", "--out", "points.py/page.html"], "points.py is a file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_reported_is_refused_in_a_line_without_a_trace(case, there, capsys):
    begun = RUNS / "begun"
    begun.mkdir(exist_ok=True)
    write_json(begun / "study.json", {})
    before = {path: path.stat().st_mtime_ns for path in there.rglob("*")}
    command, told = WRONG[case]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert {path: path.stat().st_mtime_ns for path in there.rglob("*")} == before


def test_runs_of_one_name_are_told_apart_by_the_folders_above_them():
    assert names_of([Run("a/b/run"), Run("c/b/run")]) == ["a/b/run", "c/b/run"]


def test_a_run_whose_model_has_changed_keeps_its_figures_and_is_refused(there, tmp_path):
    shutil.copytree(RUNS / "points", tmp_path / "points")
    run = Run(tmp_path / "points")
    run.keras_file.write_bytes(run.keras_file.read_bytes()[:-1])
    before = sorted(run.figures.iterdir())
    with pytest.raises(WorkError, match=r"model\.keras: has changed"):
        report.main([str(run.folder), "-q"])
    assert sorted(run.figures.iterdir()) == before
