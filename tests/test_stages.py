"""Each stage of a run broken off, by a kill or a signal: only it is done again, and nothing half made is seen."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from stages import AGAIN, POINTS, broken_off, check_files, command, results, works, write_study

from kerashw import compare, evaluate, export, predict, report, tune
from kerashw.commands import run
from kerashw.run import Run

DRIVER = Path(__file__).with_name("stages.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(DRIVER.parent.parent)}

# Where a process that is tested in this one hears a signal, in the order in which a run meets them.
HEARD = (
    ("data", "before"), ("data", "after"), ("training", "after"), ("final training", "after"), ("refit", "after"),
    ("export", "moving 1"), ("curves", "before"), ("figure", "moving 2"), ("report", "before"),
    ("comparison", "moving 1"),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A person's folder with a study, its data and a finished run."""
    folder = tmp_path_factory.mktemp("lines")
    write_study(folder)
    with broken_off(None, None, folder / "whole.done"):
        assert run(tune.main, command(folder, "whole")) == 0
    return folder


@pytest.mark.slow
def test_a_signal_at_any_stage_keeps_what_is_finished_and_continuing_ends_as_if_there_had_been_none(folder, capsys):
    capsys.readouterr()
    for place, point in enumerate(HEARD):
        number = (signal.SIGINT, signal.SIGTERM)[place % 2]
        with broken_off(point, lambda number=number: os.kill(os.getpid(), number), folder / "broken.done"):
            assert run(tune.main, command(folder, "broken")) == 128 + number, point
        told = capsys.readouterr().err
        assert "Traceback" not in told and told.count("kerashw: ") == 1, told
        line = told.strip().splitlines()[-1]
        assert line.startswith("kerashw: interrupted; all that is finished is kept. To continue: ")
        assert shlex.split(line.split("To continue: ")[1])[3:] == command(folder, "broken")
        assert (folder / "broken").exists() != (point[0] == "data"), "nothing is written before all is checked"
        check_files(folder / "broken", folder / "whole")
    with broken_off(None, None, folder / "broken.done"):
        assert run(tune.main, command(folder, "broken")) == 0
    assert results(folder / "broken") == results(folder / "whole")
    again = works(folder / "broken.done") - works(folder / "whole.done")
    again = {work: count for work, count in again.items() if "/" not in work}  # figures have the run's name
    assert again == {"training": 1, "final training": 1, "SavedModel": 1}


@pytest.mark.parametrize("lost", ["figures/fit.json", "exports.json"])
def test_what_a_finished_stage_has_lost_is_made_again_without_a_training(lost, folder):
    one = Run(folder / "whole" / "one")
    expected, before = results(folder / "whole"), works(folder / "whole.done")
    one.metrics_file.unlink()
    (one.folder / lost).unlink()
    with broken_off(None, None, folder / "whole.done"):
        assert run(tune.main, command(folder, "whole")) == 0
    made = {work for work in works(folder / "whole.done") - before if not work.startswith("figure whole/")}
    assert made == {"report", "comparison"} | {"figure one/fit" if "figures" in lost else "SavedModel"}
    assert results(folder / "whole") == expected


@pytest.mark.parametrize("name", ["model.keras", pytest.param("history.csv", marks=pytest.mark.slow)])
def test_a_damaged_model_or_history_is_kept_aside_and_the_winner_is_trained_anew(name, folder, capsys):
    one = Run(folder / "whole" / "one")
    expected, before = results(folder / "whole"), works(folder / "whole.done")
    one.metrics_file.unlink()
    (one.folder / name).write_bytes(b"damaged")
    with broken_off(None, None, folder / "whole.done"):
        assert run(tune.main, [word for word in command(folder, "whole") if word != "-q"]) == 0
    told = capsys.readouterr().err
    assert f"{one.folder / name}: has changed since it was written: kept as {name}.damaged-1; the winner is" in told
    assert (one.folder / f"{name}.damaged-1").read_bytes() == b"damaged"
    made = works(folder / "whole.done") - before
    assert made["final training"] == made["SavedModel"] == made["figure one/fit"] == 1
    assert results(folder / "whole") == expected


def test_a_signal_that_a_library_makes_an_error_of_fails_no_trial(folder):
    def spoilt():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("from a library") from None

    with broken_off(("training", "before"), spoilt, folder / "spoilt.done"):
        assert run(tune.main, command(folder, "spoilt")) == 130
    with contextlib.closing(Run(folder / "spoilt" / "one").store()) as store:
        assert [trial.status for trial in store.trials()] == ["running"] and not store.events("failure")


VERBS = {
    "evaluate": (evaluate, ["whole/one"]),
    "predict": (predict, ["whole/one", "test_data.csv"]),
    "report": (report, ["whole/one"]),
    "compare": (compare, ["whole/one", "whole/two"]),
    "export": (export, ["whole/one", "--format", "savedmodel"]),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_hears_a_signal_ends_with_its_code_and_one_line(verb, folder, monkeypatch, capsys):
    def heard(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)

    main, arguments = VERBS[verb]
    monkeypatch.chdir(folder)
    monkeypatch.delenv("KERASHW_DATA_DIR", raising=False)
    monkeypatch.setattr("kerashw.formats.writing.verify", heard)  # all of them load the model
    assert run(main.main, arguments) == 143
    assert capsys.readouterr().err.strip().splitlines()[-1] == "kerashw: interrupted."


def test_a_second_signal_ends_the_process_at_once():
    program = """
import time
from kerashw import interrupts
with interrupts.listening():
    while True:
        try:
            print("waiting", flush=True)
            time.sleep(600)
        except KeyboardInterrupt:
            pass
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        for number in (signal.SIGTERM, signal.SIGINT):
            assert process.stdout.readline() == "waiting\n"
            process.send_signal(number)
        assert process.wait() == 143 and not process.stdout.read()


def driven(*arguments):
    """What the driver tells."""
    done = subprocess.run([sys.executable, str(DRIVER), *arguments], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.faults
def test_no_kill_at_any_point_of_a_stage_costs_more_than_that_stage(tmp_path, counted):
    told = driven("points", str(tmp_path))
    assert (told["again"], told["missing"]) == (AGAIN, {})
    assert told["points"] == len(POINTS)
    counted("SIGKILL, before, within and after each stage of a run", told["points"],
            "only the stage that was cut off is done again; no file is seen half made")  # fmt: skip


@pytest.mark.faults
@pytest.mark.parametrize(("kind", "signals"), [("fork", 6), ("spawn", 4)])
def test_a_signal_at_any_instant_leaves_what_the_same_command_continues(kind, signals, tmp_path, counted):
    for path, (sent, watched, runs, _) in driven(kind, str(tmp_path), str(signals), "1").items():
        assert sent >= signals and (kind == "spawn" or watched)
        what = "with the start of TensorFlow" if kind == "spawn" else f"{watched} to a process that is watched"
        counted(f"Ctrl-C or SIGTERM at any instant, {path}, {kind}", sent,
                f"130 or 143 and the command that continues, {what}; {runs} runs equal to one never interrupted")
