"""A process that runs one search again and again, each time in a child that is killed, until the search has ended.

    python tests/kill_driver.py FOLDER TUNER KILLS SEED     searches whose trainings take 2 ms
    python tests/kill_driver.py FOLDER PATH KILLS SEED      whole commands with real trainings; PATH is fit or population
    python tests/kill_driver.py FOLDER wal FLIPS SEED       the same killed once, a byte of trials.db-wal flipped

It prints, as JSON, how many were killed and what every search ended with. The children are forked before TensorFlow
has started anything, so a kill costs no import.
"""

import contextlib
import csv
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from kerashw.commands import quiet_tensorflow, run

quiet_tensorflow()

import tuning.pipeline  # noqa: E402  here, so that no child has to import it
from kerashw import tune  # noqa: E402
from kerashw.database import Database  # noqa: E402
from kerashw.datasets import Dataset  # noqa: E402
from kerashw.errors import Damaged  # noqa: E402
from kerashw.evaluation import metrics as evaluated, predict  # noqa: E402
from kerashw.formats import load_model  # noqa: E402
from kerashw.models import linear  # noqa: E402
from kerashw.progress import Progress  # noqa: E402
from kerashw.recovery import recover  # noqa: E402
from kerashw.run import Run  # noqa: E402
from kerashw.space import Bayesian, Choice, Grid, Hyperband, Random, Real  # noqa: E402
from kerashw.study import Study  # noqa: E402
from kerashw.training import Trained  # noqa: E402
from tuning import trials  # noqa: E402
from tuning.search import prepare, search  # noqa: E402

PHASES = ("before", "during", "after")
X = np.arange(4, dtype="float32")[:, None]
POINTS = Dataset("points", X, X, X, X, classes=(), source="made")
RATES = Choice(*(round(0.001 * 1.5**place, 5) for place in range(12)))
SEARCHES = {
    "grid": (Grid(), dict(learning_rate=RATES)),
    "random": (Random(trials=12), dict(learning_rate=RATES)),
    "bayesian": (Bayesian(trials=12, initial=4), dict(learning_rate=Real(1e-4, 1e-1, log=True))),
    "hyperband": (Hyperband(), dict(learning_rate=RATES)),
}
STUDY = '''"""A line."""

from kerashw.models import mlp
from kerashw.space import Choice, Random
from kerashw.study import Study

STUDY = Study(data="points", model=mlp, search=Random(trials=4), together={together}, settings=dict(
    hidden=(2,), learning_rate=Choice(0.001, 0.01, 0.1, 0.2), batch_size=8, epochs=3))
'''


def quick_training(builder, settings, task, *, seed, epochs, initial_epoch=0, keep_last=False, **_):
    """A training of 2 ms that trains nothing: its scores depend on settings, seed and epoch alone."""
    time.sleep(0.002)
    last = epochs or settings["epochs"]
    numbers = list(range(initial_epoch + 1, last + 1))
    scores = [abs(np.log(settings["learning_rate"]) + 4) + (seed % 1000) / 1000 / epoch for epoch in numbers]
    values = {"epoch": numbers, "loss": scores, "val_loss": scores, "val_mse": scores}
    return Trained(model=None, history=values, best_epoch=last, seconds=0.002,
                   **({"last": [np.arange(3.0)]} if keep_last else {}))  # fmt: skip


def quick_search(folder, tuner):
    """What is left of a search, from wherever an earlier process was killed."""
    trials.train = quick_training
    kind, settings = SEARCHES[tuner]
    study = Study(data="points", model=linear, search=kind, together=False,
                  settings=dict(settings, batch_size=4, epochs=4))  # fmt: skip
    with Run(folder).locked() as one:
        one.sweep()
        if one.exists:
            recover(one, lambda text: None)
        else:
            one.begin({"tuner": tuner})
        setup = tuning.pipeline.make_setup(study, POINTS, one, seed=0, progress=Progress("", quiet=True))
        with contextlib.closing(one.store()) as store:
            search(setup, store, prepare(setup))
            tuning.pipeline.write_trials(setup, store)
    return 0


def whole_command(folder, path):
    """The command itself, with real trainings on one of the two paths."""
    return run(tune.main, ["--task", str(folder.parent / f"{path}.py"), "--data-dir", str(folder.parent), "--out",
                           str(folder.parent), "--name", folder.name, "--no-figures", "-q"])  # fmt: skip


def die_at_write(number, phase):
    """The process is killed at its write of that number: before it begins, before it is committed, or after.

    Should another one watch it, that is the one to be killed, as by a person; the kernel then ends the watched one.
    """
    ordinary, count, first = Database.transaction, iter(range(1_000_000)), os.getpid()

    @contextlib.contextmanager
    def deadly(database):
        now = next(count) == number

        def die(at):
            if now and phase == at:
                os.kill(first, signal.SIGKILL)
                time.sleep(60)

        die("before")
        with ordinary(database) as connection:
            yield connection
            die("during")
        die("after")

    Database.transaction = deadly


def child(work, place, write=None):
    """The process id of a child that does the work, and perhaps dies at a write."""
    if pid := os.fork():
        return pid
    with open(place.parent / f"{place.name}.txt", "a") as said:
        os.dup2(said.fileno(), 1), os.dup2(said.fileno(), 2)
        if write:
            die_at_write(*write)
        code = 1
        try:
            code = work()
        except SystemExit as end:  # of a process that watched another
            code = end.code
        except BaseException:  # the parent is told by the code, a person by the file
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)


def ended_after(pid, seconds=None):
    """The exit code of a child, killed after so many seconds where it has not ended before."""
    if seconds is not None:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)  # of a child that has ended it changes nothing
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def rows_of(folder):
    with open(folder / "trials.csv", newline="") as file:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def statuses(folder):
    with contextlib.closing(Run(folder).store()) as store:
        return [trial.status for trial in store.trials()]


def tested(folder):
    """The metrics of the model in the folder, evaluated anew, and those recorded."""
    x = np.linspace(-1, 1, 12, dtype="float32")[:, None]
    return evaluated(predict(load_model(Run(folder)), x), 2 * x, is_classification=False), Run(folder).metrics()["test"]


def flipped_logs(base, flips, chance):
    """Searches that go on after a kill with one byte changed in what SQLite had written ahead."""
    assert ended_after(child(lambda: quick_search(base / "whole", "random"), base / "whole")) == 0
    killed = child(lambda: quick_search(base / "killed", "random"), base / "killed", (40, "after"))
    assert ended_after(killed) == -signal.SIGKILL
    done, expected = statuses_in_log(base / "killed"), rows_of(base / "whole")
    assert 2 <= done < len(expected)
    found = lost = 0
    for number in range(flips):
        folder = base / f"flip{number}"
        shutil.copytree(base / "killed", folder)
        log = folder / "trials.db-wal"
        content = bytearray(log.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        log.write_bytes(content)
        kept = statuses_in_log(folder)
        lost += kept < done
        code = ended_after(child(lambda folder=folder: quick_search(folder, "random"), folder))
        assert code == 0, (base / f"{folder.name}.txt").read_text()
        assert rows_of(folder) == expected, folder
        told = any(folder.glob("trials.db*.damaged-1"))
        found += told
        assert told or kept == done, (number, kept, "trials were lost without a word")
        shutil.rmtree(folder)
    print(json.dumps({"flips": flips, "found": found, "lost": lost, "bytes": len(content)}))


def statuses_in_log(folder):
    """How many trials have ended, as a copy of the folder tells: who reads a log may bring it into the database."""
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(folder, place, dirs_exist_ok=True)
        try:
            return sum(status != "running" for status in statuses(Path(place)))
        except Damaged:
            return 0


def main(base, name, kills, seed):
    """Kills at writes and at random instants by turns, until so many have hit."""
    base, chance, quick = Path(base), random.Random(int(seed)), name in SEARCHES
    if name == "wal":
        return flipped_logs(base, int(kills), chance)
    (base / "fit.py").write_text(STUDY.format(together=False))
    (base / "population.py").write_text(STUDY.format(together=True))
    for file in ("train_data.csv", "test_data.csv"):
        (base / file).write_text("x,y\n" + "".join(f"{x},{2 * x}\n" for x in np.linspace(-1, 1, 12).tolist()))
    job = quick_search if quick else whole_command
    began = time.monotonic()
    assert ended_after(child(lambda: job(base / "whole", name), base / "whole")) == 0, (base / "whole.txt").read_text()
    long, expected = time.monotonic() - began, rows_of(base / "whole")
    hit, runs, at = 0, 0, {"write": 0, "instant": 0}
    while hit < int(kills):
        folder, runs = base / f"run{runs}", runs + 1
        while True:
            kind = chance.choice(["write", "instant"])
            write = (chance.randrange(6), chance.choice(PHASES)) if kind == "write" else None
            pid = child(lambda folder=folder: job(folder, name), folder, write)
            code = ended_after(pid, None if write else chance.uniform(0, long))
            if code == 0:
                break
            assert code == -signal.SIGKILL, (code, (base / f"{folder.name}.txt").read_text())
            hit, at[kind] = hit + 1, at[kind] + 1
        assert rows_of(folder) == expected, folder
        assert statuses(folder) == statuses(base / "whole") and "running" not in statuses(folder)
    print(json.dumps({"kills": hit, **at, "runs": runs, "trials": len(expected), "seconds": time.monotonic() - began}))
    if not quick:
        found, recorded = tested(base / f"run{runs - 1}")
        assert np.allclose([*found.values()], [*recorded.values()], rtol=1e-4), (found, recorded)


if __name__ == "__main__":
    main(*sys.argv[1:])
