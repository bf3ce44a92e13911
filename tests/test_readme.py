"""The README, taken at its word: its commands are typed and its programs are run, in its order, in one folder."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kerashw.augment import Augment
from kerashw.models import cnn, linear, mlp
from kerashw.objectives import DIRECTIONS
from kerashw.settings import OPTIMIZERS, SCHEDULES, TRAINING, builder_keywords

CHECKOUT = Path(__file__).resolve().parent.parent
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
# What other tests run, or .ci/run, with the same words.
ELSEWHERE = ("python -m pytest", "python -m benchmarks", "tensorboard --logdir", "pip install")
CLUSTER = "--ray 10.0.0.7:6379"  # which nobody has
# As small as it gets: the README's own words count for more than these.
SMALL = {"KERASHW_SAMPLES": "100", "KERASHW_TRIALS": "2", "KERASHW_EPOCHS": "1"}
WHERE = {**os.environ, **SMALL, "PYTHONPATH": str(CHECKOUT), "TF_CPP_MIN_LOG_LEVEL": "3"}


def is_typed(command):
    """Whether a command of the README is tried here."""
    return not command.startswith(ELSEWHERE) and CLUSTER not in command


def commands():
    """Every command line of the README, in its order, each once."""
    lines = [line.strip().rpartition("&& ")[2] for line in README.splitlines() if line.startswith("    ")]
    return list(dict.fromkeys(line for line in lines if re.match(r"(python -m|tensorboard|pip) ", line)))


def programs():
    """Every Python program of the README, by its place and its section."""
    sections = re.split(r"^## ", README, flags=re.MULTILINE)
    found = [(section.splitlines()[0], block) for section in sections
             for block in re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)]  # fmt: skip
    return {f"{place} {title}": block for place, (title, block) in enumerate(found, 1)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A person's folder, with what the README takes for granted, and after all its commands."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("person")
    generator = np.random.default_rng(0)
    digits = generator.integers(0, 256, (3, 28, 28), dtype="uint8")
    np.save(folder / "more_digits.npy", digits)
    (folder / "folder_of_pictures").mkdir()
    for name in ("digit.png", "folder_of_pictures/another.png"):
        Image.fromarray(digits[0]).save(folder / name)
    (folder / "my_folder").mkdir()
    for name in ("train_data.csv", "test_data.csv"):
        rows = "".join(f"{a},{b},{a - b}\n" for a, b in generator.normal(size=(40, 2)).tolist())
        (folder / "my_folder" / name).write_text(f"a,b,y\n{rows}")
    (study,) = [program for program in programs().values() if "STUDY" in program]
    (folder / "my_study.py").write_text(study)
    return folder


@pytest.fixture(scope="module")
def typed(folder):
    """{command: the finished process} of all commands, one after the other; a study of one's own keeps its samples."""
    done = {}
    for command in commands():
        if is_typed(command):
            own = {name: "40" if name == "KERASHW_SAMPLES" else WHERE[name] for name in SMALL} if "my_" in command else {}
            done[command] = subprocess.run(
                ["bash", "-c", command.replace("python", shlex.quote(sys.executable), 1)], cwd=folder,
                env={**WHERE, **own}, capture_output=True, text=True, timeout=900,
            )  # fmt: skip
    return done


def test_all_that_looks_like_a_command_is_known_as_one():
    assert len(commands()) >= 15
    named = re.findall(r"python -m (kerashw|benchmarks|pytest)[.\w]*", README)
    assert len(named) >= len([command for command in commands() if command.startswith("python")])


@pytest.mark.slow
@pytest.mark.parametrize("command", filter(is_typed, commands()))
def test_a_command_of_the_readme_does_its_work(command, typed):
    done = typed[command]
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", programs())
def test_a_program_of_the_readme_runs_as_it_stands(name, folder, typed):
    given = """
import numpy as np
images = np.zeros((2, 28, 28), "uint8")
"""
    if "model.fit" in programs()[name]:
        given = """
import keras, numpy as np
from kerashw.models import cnn
x = x_test = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype="uint8")
y = y_test = np.arange(40) % 10
model = cnn(input_shape=(28, 28), outputs=10, filters=(2, 2), kernel_size=5, hidden=(8,))
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
"""
    done = subprocess.run(
        [sys.executable, "-c", given + programs()[name]], cwd=folder, env=WHERE, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_readme_names_every_setting_and_every_value_that_is_one_of_a_few():
    (section,) = re.findall(r"^## Your own study$(.*?)^## ", README, flags=re.DOTALL | re.MULTILINE)
    (table,) = re.findall(r"^\| what \|.*?\n\n", section, flags=re.DOTALL | re.MULTILINE)
    told = dict(re.findall(r"^\| ([^|]+) \| (.*) \|$", table, flags=re.MULTILINE))
    for builder in (mlp, linear):
        named = re.findall(r"`(\w+)`", told[f"settings of `{builder.__name__}`"])
        assert sorted(named) == sorted(builder_keywords(builder))
    convolved = {*builder_keywords(cnn)} - {*builder_keywords(mlp)}
    assert {*re.findall(r"`(\w+)`", told["settings of `cnn`"])} == {"normalize", *convolved}
    assert re.findall(r"`(\w+)`", told["settings of training"]) == [*TRAINING]
    for name in (*OPTIMIZERS, *SCHEDULES):
        assert name in re.findall(r"\w+", told["settings of training"])
    assert re.findall(r"`(\w+)`", told["`objectives`"]) == [*DIRECTIONS]
    knobs = re.search(r"Augment\((.*?)\)", told["`augment`"])[1]
    assert {*knobs.split(", ")} == {*Augment().settings()} - {"fill_mode", "fill_value"}


def test_what_the_readme_shows_and_links_to_is_there():
    linked = re.findall(r"\]\(([\w./:-]+)\)", README)
    missing = [path for path in linked if "://" not in path and not (CHECKOUT / path).exists()]
    assert linked and missing == []
