"""The fifteen studies and a person's own: one table for what all share, and the published facts of each."""

import json
import sys

import numpy as np
import pytest

from kerashw.building import build_model
from kerashw.datasets import KNOWN, Dataset
from kerashw.errors import UsageError
from kerashw.space import Bayesian, Choice, Grid, Random
from kerashw.study import Study
from tuning import studies
from tuning.studies import find

BEST = ("fashion_best", "mnist_best", "regression_best")  # beyond the reports
OF_REPORTS = (
    "fashion", "fashion_grid", "fashion_lenet", "fashion_spatial", "mnist", "mnist_budget", "mnist_deep",
    "mnist_gradcheck", "mnist_init", "mnist_mlp", "regression", "regression_cv", "regression_leaky",
    "regression_linear", "regression_wide",
)  # fmt: skip
NAMES = tuple(sorted((*OF_REPORTS, *BEST)))


def arms(name):
    """{name of the arm, or None: its study}."""
    study = find(name)[1]
    return {arm: study.arm(arm) for arm in study.arms} or {None: study}


ARMS = [(name, arm) for name in NAMES for arm in arms(name)]
ARMS_OF_REPORTS = [(name, arm) for name, arm in ARMS if name in OF_REPORTS]
each_study = pytest.mark.parametrize("name", NAMES)
each_arm = pytest.mark.parametrize("name, arm", ARMS)
at_each_preset = pytest.mark.parametrize("preset", ["quick", "paper"])


def constants(study, **values):
    """The settings with the first value of whatever is searched, or a given one."""
    searched = study.searched.items()
    first = {name: space.values[0] if isinstance(space, Choice) else space.low for name, space in searched}
    return study.filled({**first, **values})


def model(study, **values):
    known = KNOWN[study.data]
    outputs = len(known.classes) or 1
    return build_model(study.model, constants(study, **values), input_shape=known.item_shape, outputs=outputs)


def blank(name):
    """A data set of the right shape with five items of each class."""
    known = KNOWN[name]
    y = np.tile(np.arange(len(known.classes)), 5) if known.classes else np.zeros(50, "float32")
    x = np.zeros((50, *known.item_shape), "uint8" if known.classes else "float32")
    return Dataset(name, x, y, x, y, classes=known.classes, source="blank")


# --- what holds for every study


def test_the_fifteen_studies_and_those_beyond_are_there():
    assert studies.names() == list(NAMES) and len(OF_REPORTS) == 15


@each_study
def test_a_study_loads_with_a_line_of_its_own_that_names_the_report(name):
    found, study, description = find(name)
    assert found == name and isinstance(study, Study) and study.data in KNOWN
    reports = ("(padova-2020).", "(padova-2021).", "(padova-2021b).", "(padova-2022).", "(montreal-2020).")
    assert description.endswith(reports) == (name in OF_REPORTS)


def test_no_two_studies_are_described_alike():
    assert len({find(name)[2] for name in NAMES}) == len(NAMES)


@each_study
def test_the_head_of_a_study_gives_its_command(name):
    module = __import__(f"tuning.studies.{name}", fromlist=["STUDY"])
    beyond = " --preset paper" if name in BEST else ""
    assert f"\n    python -m kerashw.tune --task {name}{beyond}\n" in module.__doc__


@each_arm
@at_each_preset
def test_every_arm_resolves_at_every_preset_to_strict_json_and_a_model_for_its_data(name, arm, preset):
    study = arms(name)[arm].at(preset)
    declaration = study.declaration()
    assert json.loads(json.dumps(declaration, allow_nan=False)) == declaration
    assert model(study).output_shape == (None, len(KNOWN[study.data].classes) or 1)


@each_arm
def test_quick_asks_for_the_same_model_and_objective_as_paper(name, arm):
    paper, quick = (arms(name)[arm].at(preset) for preset in ("paper", "quick"))
    assert (quick.data, quick.model, quick.objective) == (paper.data, paper.model, paper.objective)


@each_arm
def test_what_is_published_names_its_report_and_has_a_metric_we_give(name, arm):
    published = arms(name)[arm].published
    if published:
        assert published.report in find(name)[2]
        assert published.metric in ("test_accuracy", "test_mse", "val_accuracy", "val_r2", "loss")


# --- the facts of the reports

PARAMETERS = {
    ("regression_cv", None): (461, {}),
    ("regression_linear", "line"): (2, {}),
    ("regression_linear", "polynomial"): (6, {}),
    ("regression_leaky", "sgd"): (31, {}),
    ("regression_leaky", "adam"): (31, {}),
    ("regression_wide", None): (526_849, {}),
    ("mnist", None): (58_250, {}),
    ("mnist_mlp", None): (109_386, {}),
    ("mnist_init", "zero"): (596_910, {}),
    ("mnist_init", "normal"): (596_910, {}),
    ("mnist_init", "glorot"): (596_910, {}),
    ("mnist_budget", None): (715_410, dict(hidden_1=600, hidden_2=400)),
    ("mnist_gradcheck", None): (596_910, {}),
    ("mnist_deep", "cnn"): (206_500, {}),
    ("mnist_deep", "cnn_dropout"): (206_500, {}),
    ("mnist_deep", "mlp"): (715_410, {}),
    ("fashion", None): (577_802, {}),
    ("fashion_lenet", None): (60_074, {}),
    ("fashion_grid", None): (203_514, {}),
    **{("fashion_spatial", arm): (21_840, {}) for arm in ("sgd", "rmsprop", "adam", "adadelta", "grid")},
}


@pytest.mark.parametrize("name, arm", PARAMETERS)
def test_a_model_has_the_number_of_parameters_its_report_states(name, arm):
    count, values = PARAMETERS[name, arm]
    assert model(arms(name)[arm].at("paper"), **values).count_params() == count


def test_only_the_regression_study_states_no_number_of_parameters():
    assert set(ARMS_OF_REPORTS) - set(PARAMETERS) == {("regression", None)}


@pytest.mark.parametrize(
    "name, layers",
    [
        ("mnist_deep", {"conv_1": 520, "conv_2": 9_630, "conv_3": 10_840, "dense_1": 180_500, "output": 5_010}),
        ("mnist", {"conv_1": 260, "conv_2": 5_020, "dense_1": 51_360, "output": 1_610}),
    ],
)
def test_each_layer_has_the_parameters_its_report_states(name, layers):
    built = model(next(iter(arms(name).values())).at("paper"))
    assert {layer.name: layer.count_params() for layer in built.layers if layer.count_params()} == layers


PAPER = {
    # study, arm: search, folds, epochs
    ("regression", None): (Bayesian(trials=400), 0, 1500),
    ("regression_cv", None): (Random(trials=300), 5, 150),
    ("regression_leaky", "adam"): (Grid(), 4, Choice(50, 100, 150)),
    ("regression_wide", None): (Grid(), 5, 500),
    ("mnist", None): (Bayesian(trials=300), 0, 20),
    ("mnist_init", "glorot"): (Grid(), 0, 10),
    ("mnist_budget", None): (Grid(), 0, 15),
    ("mnist_deep", "cnn"): (Grid(), 0, 10),
    ("fashion", None): (Random(trials=50), 0, 20),
    ("fashion_lenet", None): (Grid(), 0, 100),
    ("fashion_spatial", "grid"): (Grid(), 4, Choice(50, 100)),
    ("fashion_grid", None): (Grid(), 0, 15),
}


@pytest.mark.parametrize("name, arm", PAPER)
def test_the_preset_paper_is_the_budget_of_the_report(name, arm):
    study = arms(name)[arm].at("paper")
    assert (study.search, study.folds, study.settings["epochs"]) == PAPER[name, arm]


COMBINATIONS = {
    ("regression_leaky", "sgd"): 12,
    ("regression_wide", None): 18,
    ("mnist_budget", None): 72,
    ("mnist_init", "zero"): 1,
    ("fashion_spatial", "grid"): 6,
    ("fashion_grid", None): 9,
}


@pytest.mark.parametrize("name, arm", COMBINATIONS)
def test_a_grid_has_exactly_the_combinations_of_its_report(name, arm):
    from tuning.oracles import expected_work
    from tuning.pipeline import make_setup
    from tuning.search import prepare

    study = arms(name)[arm].at("paper")
    setup = make_setup(study, blank(study.data), None, seed=0, progress=None)
    assert expected_work(prepare(setup), study)[0] == COMBINATIONS[name, arm]


def test_400_and_400_units_fall_below_the_budget_of_parameters_and_600_and_400_within():
    study = arms("mnist_budget")[None]
    least, most = study.parameters
    assert model(study, hidden_1=400, hidden_2=400).count_params() == 478_410 < least
    assert least < model(study, hidden_1=600, hidden_2=400).count_params() < most


# --- a study by name or from a file


def test_an_unknown_name_is_answered_with_the_nearest_and_all_known_ones():
    with pytest.raises(UsageError) as error:
        find("minst")
    assert "Did you mean 'mnist'?" in str(error.value)
    assert all(name in str(error.value) for name in NAMES)
    assert "my_study.py" in str(error.value)


def test_a_known_name_is_the_study_even_where_a_folder_of_that_name_lies(tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find("mnist")[0] == "mnist"


OWN = '''"""Two towers on my own data.

More words.
"""

from kerashw.space import Choice, Random
from kerashw.study import Study


def towers(*, input_shape, outputs, width=3, tower_activation=max):
    import keras

    inputs = keras.Input(input_shape)
    halves = [keras.layers.Dense(width, name=name)(inputs) for name in ("left", "right")]
    return keras.Model(inputs, keras.layers.Dense(outputs, name="output")(keras.layers.Concatenate()(halves)))


STUDY = Study(data="mine", model=towers, settings=dict(width=Choice(2, 5), epochs=2), search=Random(trials=2))
'''


def test_a_study_of_ones_own_comes_from_a_file_with_a_builder_of_its_own(tmp_path):
    path = tmp_path / "my towers.py"
    path.write_text(OWN)
    name, study, description = find(str(path))
    assert (name, description) == ("my towers", "Two towers on my own data.")
    assert study.searched == {"width": Choice(2, 5)}
    built = build_model(study.model, constants(study, width=5), input_shape=(2,), outputs=1)
    assert built.count_params() == 2 * (2 * 5 + 5) + 10 + 1
    with pytest.raises(UsageError, match="setting 'hidden' is no keyword of towers.* Allowed: width, tower_activation"):
        study.but(hidden=(3,))
    json.dumps(study.declaration(), allow_nan=False)


def test_a_study_without_a_docstring_has_no_description(tmp_path):
    (tmp_path / "own.py").write_text(OWN.partition('"""\n\n')[2])
    assert find(str(tmp_path / "own.py"))[2] == ""


FAULTS = {
    "syntax.py": ("x = 1\nSTUDY = Study(\n", "syntax.py, line 2: the study cannot be read: SyntaxError"),
    "empty.py": ("", "sets no STUDY = Study(...)"),
    "other.py": ("STUDY = 3", "sets no STUDY = Study(...)"),
    "raising.py": ("x = 1\n\nraise RuntimeError('two\\nlines')", "raising.py, line 3: the study cannot be read: "),
    "leaving.py": ("import sys\nsys.exit(3)", "leaving.py, line 2: the study cannot be read: SystemExit"),
    "missing_import.py": ("import nothing_of_that_name", "line 1: the study cannot be read: ModuleNotFoundError"),
    "unfinished.py": ("from kerashw.study import Study\nSTUDY = Study(data='mnist')", "line 2: the study cannot be"),
    "wrong.py": (OWN.replace("width=Choice", "with_=Choice"), "setting 'with_' is no keyword of towers"),
    "text.py": (b"\xff\xfe\x00", "the study cannot be read"),
    "study.txt": (OWN, "a study is a Python file, ending in .py"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_file_that_is_no_study_is_refused_by_name_with_the_line_and_the_reason(name, tmp_path):
    content, told = FAULTS[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as error:
        find(str(tmp_path / name))
    assert told in str(error.value) and name in str(error.value)


@pytest.mark.parametrize("task", ["nowhere.py", "some/where", "."])
def test_a_file_that_is_not_there_is_told(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no such file; give a study's name or a Python file"):
        find(task)


def test_loading_a_study_leaves_no_file_beside_it_and_sees_every_edit(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for epochs in (2, 3, 4):  # within one second and of the same length, which a __pycache__ would not notice
        (tmp_path / "own.py").write_text(OWN.replace("epochs=2", f"epochs={epochs}"))
        assert find(str(tmp_path / "own.py"))[1].settings["epochs"] == epochs
    assert [path.name for path in tmp_path.iterdir()] == ["own.py"]
