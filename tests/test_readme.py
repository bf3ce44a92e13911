"""The README, taken at its word: its commands are typed and its programs are run, in its order, in one folder."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
# What other tests run, or .ci/run, with the same words.
ELSEWHERE = ("python -m pytest", "python -m benchmarks", "tensorboard --logdir", "pip install")
# As small as it gets: the README's own words count for more than these.
SMALL = {"KERASHW_SAMPLES": "100", "KERASHW_TRIALS": "2", "KERASHW_EPOCHS": "1"}
WHERE = {**os.environ, **SMALL, "PYTHONPATH": str(CHECKOUT), "TF_CPP_MIN_LOG_LEVEL": "3"}


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
        if not command.startswith(ELSEWHERE):
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
@pytest.mark.parametrize("command", [command for command in commands() if not command.startswith(ELSEWHERE)])
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


def test_what_the_readme_shows_and_links_to_is_there():
    linked = re.findall(r"\]\(([\w./:-]+)\)", README)
    missing = [path for path in linked if "://" not in path and not (CHECKOUT / path).exists()]
    assert linked and missing == []
