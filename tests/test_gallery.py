"""The gallery: its page, its pictures and the list of them in docs/gallery/make.py tell the same."""

import importlib.util
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "gallery"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")


def maker():
    spec = importlib.util.spec_from_file_location("make", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_every_picture_that_lies_beside_it_and_no_other():
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", PAGE)
    assert sorted(shown) == sorted(path.name for path in FOLDER.glob("*.png"))


def test_its_pictures_are_those_that_its_command_asks_for():
    asked = [f"{run.replace('/', '_')}-{figure}.png" for some in maker().PICTURES.values() for run, figure in some]
    assert sorted(asked) == sorted(path.name for path in FOLDER.glob("*.png"))


def test_it_is_small_and_on_real_data():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.png")) < maker().LARGEST
    assert "stand-in" not in PAGE.lower()


def test_every_run_stands_in_its_table():
    assert all(re.search(rf"^\| `{study}[`/]", PAGE, flags=re.MULTILINE) for study in maker().studies())
