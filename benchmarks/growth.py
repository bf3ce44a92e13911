"""How time and memory grow with the number of trials."""

import tempfile
from pathlib import Path

from benchmarks import runs
from benchmarks.report import number
from benchmarks.rows import Row, Target

STUDY = '''"""Small nets, many of them."""

from kerashw.models import mlp
from kerashw.space import Random, Real
from kerashw.study import Study

STUDY = Study(
    data="regression", model=mlp, search=Random(trials=50),
    settings=dict(hidden=(8, 8), learning_rate=Real(1e-4, 1e-1, log=True), l2=Real(1e-6, 1e-2, log=True),
                  batch_size=16, epochs={epochs}),
    together={together},
)
'''
MEMORY_TRIALS = 300
MEMORY_LIMIT = 100  # MB that so many trials by `fit` may add
NOISE = 1.2  # how much dearer late trials may seem, since no two runs take the same time


def measure(asked):
    """A random search trained together, from 50 to 800 trials; and the memory of trials by `fit`."""
    sizes = asked.of(smoke=[2, 4, 8], quick=[50, 200, 800], full=[50, 100, 200, 400, 800])
    with tempfile.TemporaryDirectory() as folder:
        searched = {trials: _search(asked, folder, trials, "None", epochs=20) for trials in sizes}
        first, *_, late, last = sizes
        early = (searched[late].seconds - searched[first].seconds) / (late - first)
        further = (searched[last].seconds - searched[late].seconds) / (last - late)
        told = ", ".join(f"{trials}: {done.seconds:.3g} s and {done.peak_mb:,.0f} MB"
                         for trials, done in searched.items())  # fmt: skip
        yield Row(
            what=f"growth: a trial from {late} to {last}", ours=1000 * further, unit="ms", peer=1000 * early,
            peer_name=f"from {first} to {late}", target=Target("ratio", ">=", round(1 / NOISE, 2)),
            note=f"linear growth is a ratio of 1; whole commands of {told}",
        )  # fmt: skip
        few, many = asked.of(smoke=(1, 3), quick=(10, 40), full=(10, 10 + MEMORY_TRIALS))
        alone = {trials: _search(asked, folder, trials, "False", epochs=2) for trials in (few, many)}
        added = alone[many].peak_mb - alone[few].peak_mb
        yield Row(
            what=f"memory that {MEMORY_TRIALS} small trials by fit add", unit="MB",
            ours=added * MEMORY_TRIALS / (many - few), target=Target("ours", "<=", MEMORY_LIMIT),
            note=f"the most memory of a command with {many} trials, less that of one with {few}"
            + ("" if many - few == MEMORY_TRIALS else f", times {MEMORY_TRIALS / (many - few):g}")
            + "; a trial of 2 epochs took "
            + number(1000 * (alone[many].seconds - alone[few].seconds) / (many - few), "ms"),
        )  # fmt: skip


def _search(asked, folder, trials, together, epochs):
    """The finished command with so many trials of the study in a file of its own."""
    file = Path(folder) / f"trials_{trials}_{together}.py"
    file.write_text(STUDY.format(epochs=epochs, together=together), encoding="utf-8")
    return runs.tune(asked, file, "--trials", trials, out=folder)
