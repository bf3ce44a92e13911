"""A run of two arms that is broken off at one point of a stage after the other, with what each process did of it.

    python tests/stages.py FOLDER     with SIGKILL, in a child at each point; prints as JSON what was done

`broken_off` is told how: by SIGKILL in a child, or by a signal that the process hears.
"""

import contextlib
import csv
import json
import os
import signal
import sys
import zipfile
from collections import Counter
from pathlib import Path

from kerashw.commands import quiet_tensorflow, run

quiet_tensorflow()

import tuning.pipeline  # noqa: E402  here, so that no child has to import it
import tuning.refit  # noqa: E402
import tuning.trials  # noqa: E402
from kerashw import pages, pictures, tune  # noqa: E402
from kerashw.formats import saved_model, verify  # noqa: E402
from kerashw.run import Run, read_json  # noqa: E402

STUDY = '''"""Two lines."""

from kerashw.models import linear
from kerashw.space import Grid
from kerashw.study import Study

STUDY = Study(data="points", model=linear, search=Grid(), folds=2, together=False,
              settings=dict(learning_rate=0.1, batch_size=8, epochs=2),
              arms=dict(one=dict(degree=1), two=dict(degree=2)))
'''
FIGURES = {name: pictures.FIGURES[name] for name in ("data_points", "curves_refit", "fit")}
COMPARISONS = {"arms_fit": pictures.COMPARISONS["arms_fit"]}

STAGES = {
    "data": (tune, "load_data"),
    "search": (tuning.pipeline, "searched"),
    "training": (tuning.trials, "train"),
    "refit": (tuning.pipeline, "refit"),
    "final training": (tuning.refit, "train"),
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


def write_study(folder):
    """A person's folder: a study and its data."""
    (folder / "lines.py").write_text(STUDY)
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
        files = (one.history_file, one.curves_file, *one.figures.glob("*.json"))
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


def main(base):
    """A whole run, and one whose process is killed at each of the points."""
    base = Path(base)
    write_study(base)

    def child(name, point=None):
        sys.stdout.flush()
        if not (pid := os.fork()):
            with open(base / f"{name}.txt", "a") as said:
                os.dup2(said.fileno(), 1), os.dup2(said.fileno(), 2)
            with broken_off(point, lambda: os.kill(os.getpid(), signal.SIGKILL), base / f"{name}.done"):
                os._exit(run(tune.main, command(base, name)))
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert child("whole") == 0, (base / "whole.txt").read_text()
    for point in POINTS:
        code = child("broken", point)
        said = (base / "broken.txt").read_text()
        # After a death within a trial the next process is watched by another, which tells how it ended.
        is_watched = code == 1 and said.rpartition("kerashw: ")[2].startswith("the process that trained ended by signal 9;")
        assert code == -signal.SIGKILL or is_watched, (point, code, said)
        assert (base / "broken").exists() != (point[0] == "data"), point
        if point[0] != "data":
            check_files(base / "broken", base / "whole")
    assert child("broken") == 0, (base / "broken.txt").read_text()
    check_files(base / "broken", base / "whole")
    assert results(base / "broken") == results(base / "whole")
    once, broken = (works(base / f"{name}.done") for name in ("whole", "broken"))
    once = Counter({work.replace("whole/", "broken/"): count for work, count in once.items()})
    print(json.dumps({"points": len(POINTS), "once": once, "again": broken - once, "missing": once - broken}))


if __name__ == "__main__":
    main(*sys.argv[1:])
