"""What a person types: the wrong is refused in one line without a trace, the right is understood."""

import contextlib
import hashlib
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kerashw import request, tune
from kerashw.__main__ import main
from kerashw.commands import VERBS, from_environment, run
from kerashw.datasets import load
from kerashw.errors import UsageError
from kerashw.run import write_json
from tuning.studies import names

CHECKOUT = Path(__file__).parent.parent
TABLE = "x,y\n" + "".join(f"{place / 10},{place % 7}\n" for place in range(24))
LINE = ["--task", "regression_linear", "--data-dir", "data"]
DIGITS = ["--task", "mnist_mlp", "--data-dir", "data"]
OWN = '''"""A study of my own."""

from kerashw.models import mlp
from kerashw.space import Choice, Random
from kerashw.study import Study

STUDY = Study(data="regression", model=mlp, settings=dict(hidden=(4,), learning_rate=Choice(0.1, 0.01), epochs=2),
              search=Random(trials=2))
'''


@pytest.fixture(autouse=True)
def no_variables_of_kerashw(monkeypatch):
    """The defaults are the program's own, whatever the person who tests has set."""
    for variable in [name for name in os.environ if name.startswith("KERASHW_")]:
        monkeypatch.delenv(variable)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data, studies and runs, right and wrong ones, in which every command of this file is given."""
    place = tmp_path_factory.mktemp("place")
    for folder in "data/regression data/mnist empty unequal/mnist arms/line mnist foreign/taken/model".split():
        (place / folder).mkdir(parents=True)
    for name in ("train_data.csv", "test_data.csv"):
        (place / "data/regression" / name).write_text(TABLE)
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype="uint8")
    digits = dict(x_train=images, y_train=np.arange(60) % 10, x_test=images, y_test=np.arange(60) % 10)
    np.savez(place / "data/mnist/mnist.npz", **digits)
    np.savez(place / "unequal/mnist/mnist.npz", **{**digits, "y_test": np.arange(59) % 10})
    (place / "a_file").write_text("text")
    (place / "own.py").write_text(OWN)
    (place / "syntax.py").write_text("STUDY = Study(\n")
    (place / "nothing.py").write_text("x = 1\n")
    (place / "raising.py").write_text("raise RuntimeError('no more')\n")
    (place / "wrong.py").write_text(OWN.replace("hidden", "hiden"))
    (place / "own.txt").write_text(OWN)
    (place / "lacking.py").write_text(f"import a_package_of_nobody\n{OWN}")
    (place / "leaving.py").write_text("raise SystemExit(0)\n")
    (place / "endless.py").write_text("def again():\n    again()\nagain()\n")
    (place / "dict.py").write_text(OWN.replace("STUDY = Study(", "STUDY = dict("))
    (place / "latin.py").write_bytes(b"x = '\xff'\n")
    (place / "mêlée 1").mkdir()
    (place / "mêlée 1/own study.py").write_text(OWN.replace("hidden", "hiden"))
    with contextlib.chdir(place):
        begin(["--task", "own.py", "--data-dir", "data", "--name", "unfinished"])
        begin(["--task", "own.py", "--data-dir", "data", "--name", "finished"])
        write_json(place / "saved_models/finished/metrics.json", {})
        (place / "saved_models/finished/model.keras").write_bytes(b"a model")
        digests = {"model.keras": hashlib.sha256(b"a model").hexdigest()}
        write_json(place / "saved_models/finished/exports.json", {"keras": {"sha256": digests}})
        (place / "saved_models/damaged").mkdir()
        (place / "saved_models/damaged/study.json").write_text("{")
        (place / "saved_models/damaged/metrics.json").write_text("{}")
    (place / "arms/line/metrics.json").write_text("{}")
    return place


def begin(argv):
    """A run's folder as `tune` begins it."""
    options = tune.parser().parse_args(argv)
    (resolved,) = request.resolve(options)
    dataset = load(resolved.study.data, options.data_dir)
    resolved.run.folder.mkdir(parents=True)
    resolved.run.begin({
        **request.declaration(resolved, options), "data_sha256": dataset.digest, "data_dir": None,
        "data": {"name": "regression", "stand_in": False, "classes": [], "background": None},
    })  # fmt: skip


def listing(folder):
    """{path: time of its last change and size} of everything below a folder, and of the folder."""
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in (folder, *folder.rglob("*"))}


OTHER = ["tune", "--task", "own.py", "--data-dir", "data", "--name", "unfinished"]

# name: (command, what the one line says, environment)
WRONG = {
    # verbs
    "a verb of nobody": (["tunne"], ["no verb 'tunne'", "Did you mean 'tune'?", *VERBS]),
    "an option for a verb": (["--task", "mnist"], ["no verb '--task'"]),
    # tasks
    "no task": (["tune"], ["--task", "required", "--help"]),
    "a task of nobody": (["tune", "--task", "minst"], ["'minst'", "Did you mean 'mnist'?", "my_study.py"]),
    "a task and its module": (["tune", "--task", "mnist.mnist"], ["'mnist.mnist'", "Did you mean"]),
    "an empty task": (["tune", "--task", ""], ["--task ''", "Known: fashion"]),
    "a file that is not there": (["tune", "--task", "nowhere.py"], ["nowhere.py: no such file"]),
    "a folder as a task": (["tune", "--task", "empty"], ["empty: no such file"]),
    "a study with a syntax error": (["tune", "--task", "syntax.py"], ["syntax.py, line 1", "SyntaxError"]),
    "a file without a study": (["tune", "--task", "nothing.py"], ["nothing.py: sets no STUDY"]),
    "a study that raises": (["tune", "--task", "raising.py"], ["raising.py, line 1", "RuntimeError: no more"]),
    "a study with a wrong key": (["tune", "--task", "wrong.py"], ["wrong.py", "'hiden'", "Did you mean 'hidden'?"]),
    "a study that leaves": (["tune", "--task", "leaving.py"], ["leaving.py, line 1", "SystemExit"]),
    "a study without end": (["tune", "--task", "endless.py"], ["endless.py, line 2", "RecursionError"]),
    "a study without a package": (
        ["tune", "--task", "lacking.py"], ["lacking.py, line 1", "No module named 'a_package_of_nobody'"]),
    "a study that is a dict": (["tune", "--task", "dict.py"], ["dict.py: sets no STUDY = Study(...)"]),
    "a study that is not UTF-8": (["tune", "--task", "latin.py"], ["latin.py", "SyntaxError"]),
    "a study with a space and accents": (
        ["tune", "--task", "mêlée 1/own study.py"], ["mêlée 1/own study.py", "'hiden'", "Did you mean 'hidden'?"]),
    "a study above": (["tune", "--task", "../nowhere/ü.py"], ["../nowhere/ü.py: no such file"]),
    "a study with a name of 300 letters": (["tune", "--task", "n" * 300 + ".py"], ["File name too long"]),
    "a study that is no Python": (["tune", "--task", "./own.txt"], ["own.txt", "ending in .py"]),
    # options
    "an option of nobody": (["tune", *LINE, "--trails", "3"], ["--trails"]),
    "an option cut short": (["tune", *LINE, "--over"], ["--over"]),
    "an option without its value": (["tune", *LINE, "--trials"], ["--trials", "expected one argument"]),
    "a word too many": (["tune", *LINE, "mnist"], ["unrecognized arguments: mnist"]),
    "quiet and loud": (["tune", *LINE, "-q", "-v"], ["not allowed with"]),
    "a preset of nobody": (["tune", *LINE, "--preset", "fast"], ["--preset", "fast", "quick", "paper"]),
    "a tuner of nobody": (["tune", *LINE, "--tuner", "evolution"], ["--tuner", "evolution", "hyperband", "grid"]),
    # numbers
    "no trials": (["tune", *LINE, "--trials", "0"], ["--trials", "at least 1", "'0'"]),
    "trials below 0": (["tune", *LINE, "--trials", "-3"], ["--trials", "at least 1", "'-3'"]),
    "trials in halves": (["tune", *LINE, "--trials", "2.5"], ["--trials", "whole number"]),
    "trials of NaN": (["tune", *LINE, "--trials", "nan"], ["--trials", "whole number"]),
    "epochs without end": (["tune", *LINE, "--epochs", "inf"], ["--epochs", "whole number"]),
    "epochs of nothing": (["tune", *LINE, "--epochs", ""], ["--epochs", "whole number", "''"]),
    "executions in words": (["tune", *LINE, "--executions", "two"], ["--executions", "whole number"]),
    "a seed below 0": (["tune", *LINE, "--seed", "-1"], ["--seed", "at least 0"]),
    "a seed of 5000 digits": (["tune", *LINE, "--seed", "9" * 5000], ["--seed", "whole number"]),
    "one fold": (["tune", *LINE, "--folds", "1"], ["folds must be 0", "at least 2"]),
    "more folds than items": (["tune", *LINE, "--folds", "999999999"], ["folds need at least", "there are 24"]),
    "more folds than a class has items": (["tune", *DIGITS, "--folds", "7"], ["7 folds", "there are 6"]),
    "no samples": (["tune", *LINE, "--samples", "0"], ["--samples", "at least 1"]),
    "more samples than items": (["tune", *LINE, "--samples", "25"], ["--samples 25", "1 to 24"]),
    "fewer samples than classes": (["tune", *DIGITS, "--samples", "9"], ["--samples 9", "one per class"]),
    "too few samples to hold some out": (["tune", *DIGITS, "--samples", "10"], ["cannot be held out"]),
    "no time": (["tune", *LINE, "--time-budget", "0m"], ["--time-budget", "'0m'", "1.5h"]),
    "time in words": (["tune", *LINE, "--time-budget", "soon"], ["--time-budget", "'soon' is no length of time"]),
    "time without end": (["tune", *LINE, "--time-budget", "9" * 400], ["--time-budget", "no length of time"]),
    "epochs beyond all bounds": (["tune", *LINE, "--epochs", "9" * 30], ["--epochs", "at most 2,147,483,647"]),
    "executions below 0": (["tune", *LINE, "--executions", "-1"], ["--executions", "at least 1"]),
    "folds below 0": (["tune", *LINE, "--folds", "-1"], ["--folds", "at least 0"]),
    "folds of NaN": (["tune", *LINE, "--folds", "nan"], ["--folds", "whole number"]),
    "samples of nothing": (["tune", *LINE, "--samples", ""], ["--samples", "whole number", "''"]),
    "a seed in decimals": (["tune", *LINE, "--seed", "1.0"], ["--seed", "whole number"]),
    "time of NaN": (["tune", *LINE, "--time-budget", "nan"], ["--time-budget", "'nan' is no length of time"]),
    "time of nothing": (["tune", *LINE, "--time-budget", ""], ["--time-budget", "'' is no length of time"]),
    "time below 0": (["tune", *LINE, "--time-budget=-5m"], ["--time-budget", "'-5m' is no length of time"]),
    "no workers": (["tune", *LINE, "--workers", "0"], ["--workers", "at least 1"]),
    "workers without end": (["tune", *LINE, "--workers", "9999"], ["--workers", "at most 256"]),
    "a refit of no epochs": (["tune", *LINE, "--refit-epochs", "0"], ["--refit-epochs", "at least 1"]),
    "a pruner of nobody": (["tune", *LINE, "--prune", "mean"], ["--prune", "'mean'", "median"]),
    # settings
    "a setting without a value": (["tune", *LINE, "--set", "degree"], ["--set", "KEY=VALUE"]),
    "a setting of nothing": (["tune", *LINE, "--set", "degree="], ["--set", "KEY=VALUE"]),
    "a setting without a name": (["tune", *LINE, "--set", "=3"], ["--set", "KEY=VALUE"]),
    "nothing as a setting": (["tune", *LINE, "--set", ""], ["--set", "KEY=VALUE"]),
    "a setting in words": (["tune", *LINE, "--set", "degree='two'"], ["degree must be"]),
    "a setting of an optimizer of nobody": (["tune", *LINE, "--set", "optimizer=adm"], ["optimizer", "adam"]),
    "a batch of half an item": (["tune", *LINE, "--set", "batch_size=0.5"], ["batch_size must be a whole number"]),
    "a batch beyond all bounds": (["tune", *LINE, "--set", f"batch_size={'9' * 30}"], ["from 1 to 2,147,483,647"]),
    "epochs of a setting beyond all bounds": (["tune", *LINE, "--set", f"epochs={'9' * 30}"], ["to 2,147,483,647"]),
    "a batch of truth": (["tune", *LINE, "--set", "batch_size=True"], ["batch_size must be a whole number"]),
    "a choice of nothing": (["tune", *LINE, "--set", "batch_size=Choice()"], ["Choice"]),
    "a layer without units": (["tune", *DIGITS, "--set", "hidden=(0,)"], ["hidden must be a tuple"]),
    "a range to infinity": (["tune", *LINE, "--set", "momentum=Real(0, 1e999)"], ["Real"]),
    "a range on a log scale from 0": (["tune", *LINE, "--set", "learning_rate=Real(0, 1, log=True)"], ["log"]),
    "a setting of 100,000 signs": (
        ["tune", *LINE, "--set", f"momentum={'-' * 100_000}1"], ["momentum must be", "--1'"]),
    "a range of 3,000 brackets": (["tune", *LINE, "--set", f"momentum=Real({'(' * 3_000}"], ["cannot be read"]),
    "a setting of nobody": (
        ["tune", *LINE, "--set", "learning_rat=1"], ["'learning_rat'", "Did you mean 'learning_rate'?", "degree"]),
    "a setting of another model": (["tune", *LINE, "--set", "filters=(3,)"], ["'filters' is no keyword of linear"]),
    "a setting of the wrong kind": (["tune", *DIGITS, "--set", "hidden=64"], ["hidden must be a tuple", "(128, 64)"]),
    "a setting out of range": (["tune", *LINE, "--set", "momentum=2"], ["momentum must be a number from 0 to below 1"]),
    "a setting of NaN": (["tune", *LINE, "--set", "learning_rate=nan"], ["learning_rate must be a number above 0"]),
    "a setting beyond all numbers": (["tune", *LINE, "--set", "learning_rate=1e999"], ["above 0, got inf"]),
    "a setting beyond what a float holds": (
        ["tune", *LINE, "--set", f"learning_rate={'9' * 400}"], ["learning_rate must be a number above 0"]),
    "a field as a setting": (["tune", *LINE, "--set", "folds=3"], ["--set folds", "use the options"]),
    "the search as a setting": (["tune", *LINE, "--set", "search=Grid()"], ["--set search", "use the options"]),
    "a range that cannot be read": (["tune", *LINE, "--set", "momentum=Real(0"], ["'Real(0' cannot be read"]),
    "a range upside down": (["tune", *LINE, "--set", "momentum=Real(0.9, 0)"], ["low must lie below high"]),
    "a range of nothing": (["tune", *LINE, "--set", "momentum=Real()"], ["Real()", "missing"]),
    "code for a setting": (["tune", *LINE, "--set", "degree=__import__('os').mkdir('harm')"], ["degree must be"]),
    "a knob of nobody": (["tune", *DIGITS, "--set", "augment=Augment(rotate=3)"], ["no knob 'rotate'", "rotation"]),
    # searches
    "hyperband with folds": (
        ["tune", "--task", "regression_cv", "--tuner", "hyperband"], ["which folds would mix up", "--folds 0"]),
    "hyperband over epochs": (
        ["tune", "--task", "fashion_lenet", "--tuner", "hyperband", "--set", "epochs=Choice(1, 2)"],
        ["Hyperband itself decides the epochs"]),
    "a grid without values": (
        ["tune", "--task", "mnist", "--tuner", "grid"], ["a grid needs values for learning_rate", "--tuner"]),
    # places
    "a name with a slash": (["tune", *LINE, "--name", "a/b"], ["--name 'a/b'", "--out"]),
    "a name that leads away": (["tune", *LINE, "--name", ".."], ["--name '..'"]),
    "a name of nothing": (["tune", *LINE, "--name", " "], ["--name ' '"]),
    "a name of 300 letters": (["tune", *LINE, "--name", "n" * 300], ["at most 255 bytes"]),
    "a name of two lines": (["tune", *LINE, "--name", "a\nb"], ["--name 'a\\nb'", "in one line"]),
    "a name that is no text": (["tune", *LINE, "--name", "a\udcff"], ["--name 'a\\udcff'"]),
    "a place with a name of 300 letters": (["tune", *LINE, "--out", "n" * 300], ["File name too long"]),
    "a place below a device": (["tune", *LINE, "--out", "/dev/null/runs"], ["/dev/null is a file", "--out"]),
    "a place below a file": (["tune", *LINE, "--out", "a_file/runs"], ["a_file is a file", "--out"]),
    "a place of nothing": (["tune", *LINE, "--out", ""], ["--out", "expected a folder, got ''"]),
    "a folder of another program": (
        ["tune", "--task", "own.py", "--data-dir", "data", "--out", "foreign", "--name", "taken"],
        ["holds model but no study.json", "--name"]),
    "a folder of another program, overwritten": (
        ["tune", "--task", "own.py", "--data-dir", "data", "--out", "foreign", "--name", "taken", "--overwrite"],
        ["holds model but no study.json"]),
    "another seed for a run": (
        [*OTHER, "--seed", "3"], ["holds another run", "seed was 0, now 3", "--name", "--overwrite"]),
    "other settings for a run": (
        [*OTHER, "--set", "learning_rate=0.5", "--trials", "7", "--epochs", "3"],
        ["holds another run", "learning_rate was ", "search.random.trials was 2, now 7", "epochs was 2, now 3"]),
    "another study for a run": (
        ["tune", "--task", "regression", "--data-dir", "data", "--name", "unfinished"], ['study was "own"']),
    "other data for a run": ([*OTHER, "--samples", "20"], ["holds another run", "samples was null, now 20"]),
    # data
    "data that are not there": (["tune", *LINE[:2], "--data-dir", "nowhere"], ["--data-dir nowhere is missing"]),
    "data above that are not there": (["tune", *LINE[:2], "--data-dir", "../ü 1"], ["--data-dir ../ü 1 is missing"]),
    "data with a name of 300 letters": (["tune", *LINE[:2], "--data-dir", "n" * 300], ["File name too long"]),
    "a file for data": (["tune", *LINE[:2], "--data-dir", "a_file"], ["--data-dir a_file is not a folder"]),
    "a folder without data": (["tune", *LINE[:2], "--data-dir", "empty"], ["no data for regression in empty"]),
    "a data folder of nothing": (["tune", *LINE[:2], "--data-dir", ""], ["--data-dir", "expected a folder, got ''"]),
    "data that do not fit together": (["tune", *DIGITS[:2], "--data-dir", "unequal"], ["mnist.npz", "59"]),
    "no stand-in": (["tune", *LINE[:2], "--no-stand-in"], ["no real data for regression", "--data-dir"]),
    # the environment
    "a variable out of range": (["tune", *LINE], ["KERASHW_TRIALS", "at least 1", "'0'"], {"KERASHW_TRIALS": "0"}),
    "a variable that is no number": (["tune", *LINE], ["KERASHW_SEED", "whole"], {"KERASHW_SEED": "x"}),
    "a variable with a preset": (["tune", *LINE], ["KERASHW_PRESET", "quick, paper"], {"KERASHW_PRESET": "fast"}),
    "a variable that is no switch": (["tune", *LINE], ["KERASHW_JSON", "0 or 1"], {"KERASHW_JSON": "yes"}),
    "a variable with a time": (["tune", *LINE], ["KERASHW_TIME_BUDGET", "1.5h"], {"KERASHW_TIME_BUDGET": "soon"}),
    # the other verbs
    "an argument for studies": (["studies", "mnist"], ["unrecognized arguments: mnist"]),
    "an option of nobody for studies": (["studies", "--jsn"], ["--jsn"]),
    "no run to evaluate": (["evaluate"], ["RUN", "required"]),
    "a run that is not there": (["evaluate", "nowhere"], ["nowhere: no such run folder", "kerashw.tune"]),
    "a run of nothing": (["evaluate", ""], ["run folder"]),
    "a run above": (["evaluate", "../nowhere"], ["../nowhere: no such run folder"]),
    "a file for a run": (["evaluate", "a_file"], ["a_file: "]),
    "a run with a name of 300 letters": (["evaluate", "n" * 300], ["File name too long"]),
    "two runs to evaluate": (["evaluate", "saved_models/finished", "arms"], ["unrecognized arguments: arms"]),
    "a folder that is no run": (["evaluate", "empty"], ["empty: not a run folder"]),
    "the folder of arms": (["evaluate", "arms"], ["no study.json", "Its arms are runs: arms/line"]),
    "a run that is not finished": (["evaluate", "saved_models/unfinished"], ["not finished", "tune command"]),
    "a part of nobody": (["evaluate", "saved_models/finished", "--part", "all"], ["--part", "test", "train"]),
    "no data to evaluate on": (
        ["evaluate", "saved_models/finished", "--data-dir", "empty"], ["no data for regression in empty"]),
    "no format to export": (["export", "saved_models/finished"], ["--format", "required"]),
    "a format of nobody": (["export", "saved_models/finished", "--format", "h5"], ["--format", "'h5'", "litert"]),
    "formats before the run": (["export", "--format", "onnx", "saved_models/finished"], ["--format", "'saved_models"]),
    "a run to export that is not there": (["export", "nowhere", "--format", "onnx"], ["nowhere: no such run folder"]),
    "exporting an unfinished run": (["export", "saved_models/unfinished", "--format", "keras"], ["not finished"]),
    "exporting arms": (["export", "arms", "--format", "keras"], ["Its arms are runs: arms/line"]),
    "an export without the data": (
        ["export", "saved_models/finished", "--format", "onnx", "--data-dir", "empty"], ["no data for regression in"]),
    "nothing to predict": (["predict", "saved_models/finished"], ["FILE", "required"]),
    "a file to predict that is not there": (["predict", "saved_models/finished", "no.csv"], ["no.csv: no such file"]),
    "a file of another kind": (["predict", "saved_models/finished", "own.txt"], ["own.txt", ".png", ".npy", ".csv"]),
    "a folder without files": (["predict", "saved_models/finished", "empty"], ["empty: holds no file ending in"]),
    "predicting with an unfinished run": (["predict", "saved_models/unfinished", "own.csv"], ["not finished"]),
    "predicting with arms": (["predict", "arms", "own.csv"], ["Its arms are runs: arms/line"]),
    "no name to predict": (["predict", "saved_models/finished", ""], [": "]),
    "a name of 300 letters to predict": (
        ["predict", "saved_models/finished", "n" * 300 + ".npy"], ["File name too long"]),
    "a run to predict with that is not there": (["predict", "../ü", "own.csv"], ["../ü: no such run folder"]),
    "a form of nobody": (["predict", "saved_models/finished", "a.csv", "--format", "xml"], ["'xml'", "json"]),
    "classes of NaN": (["predict", "saved_models/finished", "a.csv", "--top-k", "nan"], ["--top-k", "whole number"]),
    "no run to report on": (["report"], ["RUN", "required"]),
    "a run to report on that is not there": (["report", "nowhere"], ["nowhere: no such run folder"]),
    "reporting on a folder that is no run": (["report", "empty"], ["empty: not a run folder"]),
    "reporting on an unfinished run": (["report", "saved_models/unfinished"], ["not finished", "tune command"]),
    "reporting on one run of two": (["report", "saved_models/finished", "nowhere"], ["nowhere: no such run folder"]),
    "a report without the data": (
        ["report", "saved_models/finished", "--data-dir", "empty"], ["no data for regression in empty"]),
    "an option of nobody for a report": (["report", "saved_models/finished", "--figures"], ["--figures"]),
    "nothing to compare": (["compare"], ["RUN", "required"]),
    "one run to compare": (["compare", "saved_models/finished"], ["at least two runs"]),
    "a run to compare with itself": (
        ["compare", "saved_models/finished", "mêlée 1/../saved_models/finished"], ["each named once"]),
    "a run to compare that is not there": (["compare", "saved_models/finished", "nowhere"], ["nowhere: no such run"]),
    "comparing an unfinished run": (["compare", "saved_models/finished", "saved_models/unfinished"], ["not finished"]),
    "comparing a folder that is no run": (["compare", "empty", "saved_models/finished"], ["empty: not a run folder"]),
    "no classes to show": (["predict", "saved_models/finished", "a.csv", "--top-k", "0"], ["--top-k", "at least 1"]),
}  # fmt: skip


def row(case):
    argv, told, *variables = WRONG[case]
    return argv, told, (variables or [{}])[0]


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_command_is_refused_in_one_line_and_changes_nothing(case, place, monkeypatch, capsys):
    argv, told, variables = row(case)
    monkeypatch.chdir(place)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    before = listing(place)
    code = main(argv)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("kerashw: ") and err.count("\n") == 1 and err.endswith("\n") and len(err) < 2_050, err
    assert "unforeseen" not in err
    assert all(part in err for part in told), err
    assert code == 2
    assert listing(place) == before


def test_an_export_without_its_packages_is_refused_before_anything_is_loaded(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setitem(sys.modules, "tf2onnx", None)  # as good as not installed
    before = listing(place)
    assert main(["export", "saved_models/finished", "--format", "onnx", "--data-dir", "empty"]) == 2
    assert "ONNX needs tf2onnx, not installed here: pip install" in capsys.readouterr().err
    assert listing(place) == before


def test_the_table_of_wrong_commands_covers_every_verb():
    assert {argv[0] for argv, *_ in WRONG.values() if argv[0] in VERBS} == set(VERBS)


def test_no_wrong_command_waits_for_tensorflow(place):
    program = """
import contextlib, io, json, os, sys
from kerashw.__main__ import main
codes = []
for argv, variables in json.load(sys.stdin):
    os.environ.update(variables)
    with contextlib.redirect_stderr(io.StringIO()):
        codes.append(main(argv))
    for variable in variables:
        del os.environ[variable]
print(sorted(set(codes)), sorted({"tensorflow", "keras", "keras_tuner"} & set(sys.modules)))
"""
    rows = json.dumps([(row(case)[0], row(case)[2]) for case in WRONG])
    assert python(place, "-c", program, input=rows).stdout == "[2] []\n"


def python(place, *argv, **options):
    """What an interpreter of its own answers; a fault of it ends the test."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KERASHW_")}
    environment["PYTHONPATH"] = str(CHECKOUT)
    done = subprocess.run(
        [sys.executable, *argv], capture_output=True, text=True, cwd=place, env=environment, timeout=600, **options
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize(
    "argv, code, out, err",
    [
        (["kerashw"], 0, "usage: kerashw VERB", ""),
        (["kerashw", "tune", "--task", "minst"], 2, "", "kerashw: --task 'minst'"),
        (["kerashw.tune", "--task", "mnist", "--seed", "-1"], 2, "", "kerashw: argument --seed"),
        (["kerashw.evaluate", "nowhere"], 2, "", "kerashw: nowhere: no such run folder"),
        (["kerashw.predict", "saved_models/damaged", "own.csv"], 2, "", "kerashw: own.csv: no such file"),
        (["kerashw.studies", "--json"], 0, "[", ""),
    ],
)
def test_the_module_of_a_verb_and_the_verb_after_kerashw_do_the_same(argv, code, out, err, place):
    done = python(place, "-m", *argv)
    assert done.returncode == code
    assert done.stdout.startswith(out) and bool(done.stdout) == bool(out)
    assert done.stderr.startswith(err) and bool(done.stderr) == bool(err)


def test_a_damaged_run_is_a_fault_at_work_and_names_the_file(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    assert main(["evaluate", "saved_models/damaged"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "study.json: cannot be read" in err and "--overwrite" in err


# --- what is right


@pytest.mark.parametrize("argv", [[], ["-h"], ["--help"]])
def test_kerashw_alone_lists_its_verbs(argv, capsys):
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert all(f"  {verb} " in out for verb in VERBS) and not err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_that_says_how_it_is_called(verb, capsys):
    with pytest.raises(SystemExit) as left:
        main([verb, "--help"])
    assert left.value.code == 0
    assert f"usage: python -m kerashw.{verb}" in capsys.readouterr().out


def test_studies_lists_all_with_what_is_published(capsys):
    assert main(["studies"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == names() and len(names()) == 18
    assert any("published: test_accuracy 0.9946" in line for line in lines)


def strict(text):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_studies_as_json_is_strict_and_holds_the_same(capsys):
    assert main(["studies", "--json"]) == 0
    rows = strict(capsys.readouterr().out)
    assert [one["name"] for one in rows] == names()
    (mnist,) = [one for one in rows if one["name"] == "mnist"]
    assert (mnist["data"], mnist["model"], mnist["search"]) == ("mnist", "cnn", "bayesian")
    (published,) = mnist["published"]
    assert published == {"metric": "test_accuracy", "value": 0.9946, "report": "padova-2020", "per_epoch": None}


def options(*argv):
    return from_environment(tune.parser(), argv).parse_args(["--task", "mnist", *argv])


def test_the_environment_gives_defaults_and_the_command_line_wins(monkeypatch):
    given = {
        "KERASHW_SEED": "7", "KERASHW_TRIALS": "3", "KERASHW_DATA_DIR": "somewhere", "KERASHW_PRESET": "paper",
        "KERASHW_TIME_BUDGET": "2m", "KERASHW_NO_STAND_IN": "1", "KERASHW_JSON": "0", "KERASHW_OUT": "",
    }  # fmt: skip
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    by_default = options()
    assert (by_default.seed, by_default.trials, by_default.data_dir) == (7, 3, "somewhere")
    assert (by_default.preset, by_default.time_budget, by_default.out) == ("paper", 120, "saved_models")
    assert by_default.no_stand_in is True and by_default.json is False
    typed = options("--seed", "0", "--trials", "9", "--preset", "quick", "--time-budget", "90s", "--data-dir", "here")
    assert (typed.seed, typed.trials, typed.preset, typed.time_budget) == (0, 9, "quick", 90)
    assert typed.data_dir == "here"


def test_what_is_typed_leaves_no_room_for_a_default_of_what_it_excludes(monkeypatch):
    monkeypatch.setenv("KERASHW_ENSEMBLE", "5")
    monkeypatch.setenv("KERASHW_VERBOSE", "1")
    assert options().ensemble == 5 and options().verbose
    typed = options("--refits=3", "-q")
    assert (typed.refits, typed.ensemble, typed.quiet, typed.verbose) == (3, None, True, False)


def changed(name, *argv):
    (resolved,) = request.resolve(from_environment(tune.parser()).parse_args(["--task", name, *argv]))
    return resolved.study


def test_the_values_come_from_the_study_then_the_preset_then_the_command_line():
    paper, quick = changed("mnist", "--preset", "paper"), changed("mnist")
    assert paper.search.trials == 300 > quick.search.trials
    fixed, searched = ("--set", "momentum=0.5"), ("--set", "hidden=(Choice(8, 16),)")
    typed = changed("mnist", "--trials", "2", "--epochs", "1", *fixed, *searched)
    assert (typed.search.trials, typed.search.name) == (2, "bayesian")
    assert (typed.settings["epochs"], typed.refit_epochs, typed.settings["momentum"]) == (1, None, 0.5)
    assert "hidden_1" in typed.searched and "momentum" not in typed.searched


@pytest.mark.parametrize("tuner", ["hyperband", "bayesian", "random"])
def test_another_tuner_takes_the_place_of_the_studys_own(tuner):
    assert changed("mnist", "--tuner", tuner).search.name == tuner
    assert changed("mnist", "--tuner", tuner, "--trials", "4").search.trials == 4
    assert changed("mnist_gradcheck", "--tuner", tuner).search.name == tuner


def test_the_studys_own_tuner_keeps_its_options_when_it_is_named():
    assert changed("mnist", "--tuner", "bayesian").search == changed("mnist").search


def test_every_arm_goes_to_a_folder_of_its_own():
    all_resolved = request.resolve(options("--task", "mnist_init", "--out", "runs", "--name", "three"))
    folders = [one.run.folder.as_posix() for one in all_resolved]
    assert folders == ["runs/three/zero", "runs/three/normal", "runs/three/glorot"]
    assert [one.study.settings["kernel_initializer"] for one in all_resolved][::2] == ["zeros", "glorot_uniform"]


def test_the_same_command_finds_its_own_run_and_overwrite_asks_for_no_sameness(place, monkeypatch):
    monkeypatch.chdir(place)
    same = from_environment(tune.parser()).parse_args(OTHER[1:])
    (resolved,) = request.resolve(same)
    request.check_same(resolved, request.declaration(resolved, same))
    other = from_environment(tune.parser()).parse_args([*OTHER[1:], "--seed", "5"])
    with pytest.raises(UsageError, match="seed was 0, now 5"):
        request.check_same(resolved, request.declaration(resolved, other))


def test_what_a_run_of_an_earlier_version_was_not_asked_is_as_its_default(place, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    asked = from_environment(tune.parser()).parse_args(["--task", str(tmp_path / "own.py"), "--out", str(tmp_path)])
    (resolved,) = request.resolve(asked)
    wanted = request.declaration(resolved, asked)
    earlier = {name: value for name, value in wanted["declaration"].items() if name not in ("ensemble", "refits")}
    resolved.run.folder.mkdir(parents=True)
    resolved.run.begin({**wanted, "declaration": earlier})
    request.check_same(resolved, wanted)
    asked.refits = 3
    (other,) = request.resolve(asked)
    with pytest.raises(UsageError, match="refits was 1, now 3"):
        request.check_same(resolved, request.declaration(other, asked))


# --- with TensorFlow: one interpreter for all of these

WITH_TENSORFLOW = {
    "dry run": ["tune", "--task", "own.py", "--data-dir", "data", "--dry-run"],
    "dry run of arms as JSON": ["tune", *LINE, "--dry-run", "--json"],
    "dry run of a stand-in": ["tune", "--task", "own.py", "--dry-run", "--json"],
    "a model that cannot be built": [
        "tune", "--task", "mnist", "--data-dir", "data", "--set", "filters=(4, 4, 4)", "--set", "kernel_size=5"],
    "an activation of nobody": ["tune", *DIGITS, "--set", "activation=rleu"],
    "a tuple of the wrong length": ["tune", *DIGITS, "--set", "dropout=(0.1, 0.1, 0.1)"],
    "nothing within the budget": ["tune", "--task", "mnist_budget", "--data-dir", "data", "--preset", "paper"],
}  # fmt: skip


@pytest.fixture(scope="module")
def answers(place):
    """{name of a command: exit code, stdout, stderr and what has changed on disk}."""
    program = f"""
import contextlib, io, json, os, sys
from pathlib import Path
from kerashw.__main__ import main
{inspect.getsource(listing)}
answers = {{}}
for name, argv in json.load(sys.stdin).items():
    before = listing(Path())
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(argv)
    answers[name] = [code, out.getvalue(), err.getvalue(), listing(Path()) != before]
print(json.dumps(answers))
"""
    return json.loads(python(place, "-c", program, input=json.dumps(WITH_TENSORFLOW)).stdout)


@pytest.mark.parametrize("case", WITH_TENSORFLOW)
def test_neither_a_dry_run_nor_a_study_that_cannot_begin_leaves_a_trace(case, answers):
    code, out, err, has_changed = answers[case]
    assert not has_changed
    assert code == (0 if case.startswith("dry") else 2), err
    assert bool(out) == case.startswith("dry")


@pytest.mark.parametrize(
    "case, told",
    [
        ("a model that cannot be built", ["cnn cannot be built for items of shape (8, 8)", "change model or settings"]),
        ("an activation of nobody", ["mlp cannot be built", "rleu"]),
        ("a tuple of the wrong length", ["dropout gives 3 values for 2 layers"]),
        ("nothing within the budget", ["no combination has between 500,000 and 1,000,000 parameters"]),
    ],
)
def test_a_study_that_cannot_begin_says_why_in_one_line(case, told, answers):
    lines = [line for line in answers[case][2].splitlines() if "starting TensorFlow" not in line]
    assert len(lines) == 1 and lines[0].startswith("kerashw: ")
    assert all(part in lines[0] for part in told), lines[0]


def test_a_dry_run_tells_the_study_its_work_and_a_time(answers):
    out = answers["dry run"][1]
    for part in ("own would go to saved_models/own", "24 training", "mlp, 13 parameters", "Choice(0.1, 0.01)",
                 "Random(trials=2)", "20% held out", "2 trials, 4 epochs", "time      about"):  # fmt: skip
        assert part in out, out


def test_a_dry_run_as_json_is_strict_and_has_a_plan_for_each_arm(answers):
    plans = strict(answers["dry run of arms as JSON"][1])
    assert [(plan["study"], plan["arm"], plan["stand_in"]) for plan in plans] == [
        ("regression_linear", "line", False), ("regression_linear", "polynomial", False),
    ]  # fmt: skip
    assert [plan["estimate"]["parameters"] for plan in plans] == [2, 6]
    assert all(plan["estimate"]["trials"] == 1 and plan["estimate"]["seconds"] >= 0 for plan in plans)


def test_a_stand_in_is_said_in_the_plan_and_on_stderr_while_stdout_stays_json(answers):
    _, out, err, _ = answers["dry run of a stand-in"]
    assert strict(out)["stand_in"]
    assert err.startswith("STAND-IN DATA for regression")


# --- faults that no one has foreseen


@pytest.mark.parametrize(
    "error, code, told",
    [
        (UsageError("two\nlines"), 2, "kerashw: two lines\n"),
        (KeyboardInterrupt(), 130, "kerashw: interrupted.\n"),
        (OSError(28, "No space left on device", "x/a.json"), 1, "kerashw: x/a.json: No space left on device;"),
        (KeyError("size"), 1, "kerashw: KeyError: 'size' (an unforeseen fault; KERASHW_VERBOSE=1 shows where)\n"),
        (RuntimeError(""), 1, "kerashw: RuntimeError: "),
    ],
)
def test_whatever_a_verb_raises_becomes_one_line_and_a_code(error, code, told, capsys):
    def verb(argv):
        raise error

    assert run(verb, []) == code
    err = capsys.readouterr().err
    assert err.startswith(told) and err.count("\n") == 1


def test_verbose_shows_where_an_unforeseen_fault_arose():
    def verb(argv):
        raise KeyError("size")

    with pytest.raises(KeyError):
        run(verb, ["-v"])


def test_a_reader_that_goes_away_is_no_fault_worth_a_line():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "kerashw.studies"], stdout=pipe, stderr=subprocess.PIPE, cwd=CHECKOUT
        )
    assert (done.stderr, done.returncode) == (b"", 1)
