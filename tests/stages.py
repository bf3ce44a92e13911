"""A run of two arms that is broken off at one point of a stage after the other, with what each process did of it.

    python tests/stages.py points FOLDER                      with SIGKILL, in a child at each point
    python tests/stages.py fork|spawn FOLDER SIGNALS SEED     with SIGINT and SIGTERM at random instants; a child that
                                                              is forked has TensorFlow, one that is spawned starts it

Each prints, as JSON, what was done.
"""

import contextlib
import csv
import json
import os
import random
import signal
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

from kerashw.commands import quiet_tensorflow, run

quiet_tensorflow()

import kerashw.job  # noqa: E402  here, so that no child has to import it
import tuning.pipeline  # noqa: E402
import tuning.refits  # noqa: E402
import tuning.trials  # noqa: E402
from kerashw import pages, pictures, tune  # noqa: E402
from kerashw.formats import saved_model, verify  # noqa: E402
from kerashw.run import Run, read_json  # noqa: E402

STUDY = '''"""Two curves."""

from kerashw.models import mlp
from kerashw.space import Grid
from kerashw.study import Study

STUDY = Study(data="points", model=mlp, search=Grid(), folds=2, together={together},
              settings=dict(learning_rate=0.1, batch_size=8, epochs=2),
              arms=dict(one=dict(hidden=(2,)), two=dict(hidden=(3,))))
'''
FIGURES = {name: pictures.FIGURES[name] for name in ("data_points", "curves_refit", "fit")}
COMPARISONS = {"arms_fit": pictures.COMPARISONS["arms_fit"]}

STAGES = {
    "data": (tune, "load_data"),
    "search": (tuning.pipeline, "searched"),
    "training": (kerashw.job, "train"),
    "loop": (tuning.trials, "train_in_groups"),
    "refit": (tuning.pipeline, "refit"),
    "final training": (tuning.refits, "train"),
    "export": (tuning.pipeline, "saved_model"),
    "SavedModel": (saved_model, "write"),
    "curves": (tuning.pipeline, "keep_curves"),
    "figures": (tuning.pipeline, "draw_figures"),
    "figure": (pictures, "draw"),
    "metrics": (tuning.pipeline, "write_json"),
    "report": (pages, "write_report"),
    "comparison": (pages, "write_comparison"),
}
WORK = ("training", "final training", "SavedModel", "figure", "report", "comparison")  # what is counted

# In the order in which a run meets them. "moving 2" is just before the second file of the stage gets its final name,
# "moved 2" just after it. A trial that ends two processes would be given up, so it is broken off once.
POINTS = (
    ("data", "before"), ("data", "after"),
    ("training", "after"), ("search", "moving 1"), ("search", "moved 2"), ("search", "after"),
    ("refit", "before"), ("final training", "before"), ("final training", "after"),
    *(("refit", f"{at} {number}") for number in (1, 2, 3) for at in ("moving", "moved")), ("refit", "moving 4"),
    ("refit", "after"),
    ("export", "before"), ("export", "moving 1"), ("export", "moved 1"), ("export", "moving 2"), ("export", "after"),
    ("curves", "before"), ("curves", "moving 1"), ("curves", "after"),
    ("figures", "before"), ("figure", "moving 1"), ("figure", "moved 1"), ("figure", "moving 2"), ("figure", "after"),
    ("figures", "after"),
    ("metrics", "moving 1"), ("metrics", "after"),
    ("report", "before"), ("report", "moving 1"), ("report", "after"),
    ("comparison", "before"), ("comparison", "moving 1"), ("comparison", "moving 3"), ("comparison", "after"),
)  # fmt: skip
# Work whose stage was broken off after it and before its end is done again: so often more than in a run of one process.
AGAIN = {"training": 1, "final training": 7, "SavedModel": 3, "figure broken/arms_fit": 1}


def write_study(folder, together=False):
    """A person's folder: a study and its data."""
    (folder / "lines.py").write_text(STUDY.format(together=together))
    for name in ("train_data.csv", "test_data.csv"):
        (folder / name).write_text("x,y\n" + "".join(f"{x / 8},{x / 4}\n" for x in range(-8, 8)))


def command(folder, name):
    """What is typed after `python -m kerashw.tune`."""
    return ["--task", str(folder / "lines.py"), "--data-dir", str(folder), "--out", str(folder), "--name", name, "-q"]


@contextlib.contextmanager
def broken_off(point, act, done):
    """While it lasts `act` is called when the point is reached; the file `done` has a line for each finished work."""
    within, files = [], [0]

    def reach(stage, moment):
        if point == (stage, moment):
            act()

    def wrapped(stage, function):
        def call(*args, **kwargs):
            within.append(stage)
            reach(stage, "before")
            result = function(*args, **kwargs)
            within.remove(stage)
            if stage in WORK:
                what = f" {Path(args[0]).parent.name}/{args[1]}" if stage == "figure" else ""
                with done.open("a") as file:
                    file.write(f"{stage}{what}\n")
            reach(stage, "after")
            return result

        return call

    def replace(source, target):
        counts = point and point[0] in within
        files[0] += bool(counts)
        if counts:
            reach(point[0], f"moving {files[0]}")
        ordinary(source, target)
        if counts:
            reach(point[0], f"moved {files[0]}")

    ordinary = os.replace
    before = [(module, name, getattr(module, name)) for module, name in STAGES.values()]
    before += [(os, "replace", ordinary), (pictures, "FIGURES", pictures.FIGURES),
               (pictures, "COMPARISONS", pictures.COMPARISONS)]  # fmt: skip
    for stage, (module, name) in STAGES.items():
        setattr(module, name, wrapped(stage, getattr(module, name)))
    os.replace, pictures.FIGURES, pictures.COMPARISONS = replace, FIGURES, COMPARISONS
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def works(done):
    """{work: how often it was done}."""
    return Counter(done.read_text().splitlines())


def results(folder):
    """What a finished run has come to, without what a clock has told."""
    found = {}
    for arm in ("one", "two"):
        one = Run(folder / arm)
        with open(one.trials_file, newline="") as file:
            rows = [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)]
        metrics = {name: value for name, value in one.metrics().items() if name != "seconds"}
        files = [path for path in (one.history_file, one.curves_file, *one.figures.glob("*.json")) if path.exists()]
        found[arm] = rows, metrics, {path.name: path.read_text() for path in files}
        for name in ("keras", "savedmodel"):
            verify(one, name)
    return found


def check_files(folder, whole):
    """Nothing, where each file that a reader can see is whole; `whole` is a finished run of the same study."""
    from PIL import Image

    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") for part in parts) or "tensorboard" in parts or path.name.startswith("trials.db"):
            continue
        if path.suffix == ".json":
            assert read_json(path), path
        elif path.suffix == ".csv":
            with open(path, newline="") as file:
                head, *rows = csv.reader(file)
            assert {len(row) for row in rows} <= {len(head)} and path.read_text().endswith("\n"), path
        elif path.suffix == ".png":
            Image.open(path).load()
        elif path.suffix == ".html":
            assert path.read_text().rstrip().endswith("</html>"), path
        elif path.suffix == ".keras":
            assert zipfile.ZipFile(path).testzip() is None, path
    for arm in ("one", "two"):
        places = [place / arm / "model" / "1" for place in (folder, whole)]
        found, expected = ({path.relative_to(place) for path in place.rglob("*")} for place in places)
        assert found in (set(), expected), places[0]


def forked(folder, name, point=None):
    """The process id of a child that gives the command, and dies where the point is reached."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    with open(folder / f"{name}.txt", "w") as said:
        os.dup2(said.fileno(), 1), os.dup2(said.fileno(), 2)
    with broken_off(point, lambda: os.kill(os.getpid(), signal.SIGKILL), folder / f"{name}.done"):
        code = run(tune.main, command(folder, name))
        sys.stdout.flush()
        os._exit(code)


def spawned(folder, name):
    """The process id of the command as a person gives it, without figures."""
    said = (os.POSIX_SPAWN_OPEN, 1, str(folder / f"{name}.txt"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    return os.posix_spawn(
        sys.executable, [sys.executable, "-m", "kerashw.tune", *command(folder, name), "--no-figures"], os.environ,
        file_actions=[said, (os.POSIX_SPAWN_DUP2, 1, 2)],
    )  # fmt: skip


def ended(pid):
    """The exit code of a child."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def listens(pid):
    """Whether a process hears SIGTERM, or has ended."""
    told = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return told["State"].startswith("Z") or bool(int(told["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1)


def kill_at_points(base):
    """A whole run, and one whose process is killed at each of the points."""
    write_study(base)
    assert ended(forked(base, "whole")) == 0, (base / "whole.txt").read_text()
    for point in POINTS:
        code = ended(forked(base, "broken", point))
        said = (base / "broken.txt").read_text()
        # After a death within a trial the next process is watched by another, which tells how it ended.
        is_watched = code == 1 and said.startswith("kerashw: the process that trained ended by signal 9;")
        assert code == -signal.SIGKILL or is_watched, (point, code, said)
        assert (base / "broken").exists() != (point[0] == "data"), point
        if point[0] != "data":
            check_files(base / "broken", base / "whole")
    assert ended(forked(base, "broken")) == 0, (base / "broken.txt").read_text()
    check_files(base / "broken", base / "whole")
    assert results(base / "broken") == results(base / "whole")
    once, broken = (works(base / f"{name}.done") for name in ("whole", "broken"))
    once = Counter({work.replace("whole/", "broken/"): count for work, count in once.items()})
    return {"points": len(POINTS), "once": once, "again": broken - once, "missing": once - broken}


def interrupt(folder, start, signals, chance):
    """(signals sent, of these to a watched process, runs, seconds of a whole run), all runs equal to the whole one.

    A run that is forked has first lost a process within a trial, so that the next one is watched.
    """
    began = time.monotonic()
    assert ended(start(folder, "whole")) == 0, (folder / "whole.txt").read_text()
    long = time.monotonic() - began
    sent, watched, runs = 0, 0, 0
    while sent < signals:
        name, runs = f"run{runs}", runs + 1
        is_watched = start is forked
        if is_watched:
            code = ended(forked(folder, name, ("training", "after") if folder.name == "fit" else ("loop", "before")))
            assert code == -signal.SIGKILL, (name, code, (folder / f"{name}.txt").read_text())
        while True:
            number, pid = chance.choice([signal.SIGINT, signal.SIGTERM]), start(folder, name)
            while not listens(pid):
                time.sleep(0.01)
            time.sleep(chance.uniform(0, long))
            os.kill(pid, number)
            code, said = ended(pid), (folder / f"{name}.txt").read_text()
            if (folder / name / "report.html").exists() and code in (0, -number):  # it had come to its end before
                break
            lines = [line for line in said.splitlines() if line and "it is recorded" not in line]
            # What a C library tells of a call that was interrupted within it, it prints by itself.
            is_told = "Traceback" in said and "returned a result with an exception set" not in said
            assert code == 128 + number and not is_told, (number, code, said)
            assert lines[-1].startswith("kerashw: interrupted; all that is finished is kept. To continue: "), said
            check_files(folder / name, folder / "whole")
            sent, watched = sent + 1, watched + is_watched
            if is_watched:
                with contextlib.closing(Run(folder / name / "one").store()) as store:
                    is_watched = any(trial.status == "running" for trial in store.trials())
        assert results(folder / name) == results(folder / "whole")
    return sent, watched, runs, long


def main(kind, base, signals="0", seed="0"):
    """What is to be done is done, and told as JSON."""
    base, chance = Path(base), random.Random(int(seed))
    if kind == "points":
        print(json.dumps(kill_at_points(base)))
        return
    found = {}
    for path in ("fit", "population"):
        (base / path).mkdir()
        write_study(base / path, together=path == "population")
        found[path] = interrupt(base / path, {"fork": forked, "spawn": spawned}[kind], int(signals), chance)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
