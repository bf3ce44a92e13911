"""What the test error of the regression net hangs on: the length of its refit, the mean of its last weights, L2, luck.

    python -m benchmarks.gaps --data-dir DIR --out DIR

The published winner of `regression`, and that of the run in DIR/regression where there is one, are trained on all
training items, with several seeds for each length and each way to keep the curve calm. A large part of the test items
lies where there is no training item, so `validation` does not see what decides; the tables therefore have the test
error itself. They go to DIR/regression_gaps.json, whence `python -m benchmarks.results` takes them.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np

PUBLISHED = dict(hidden=(128, 64), activation="sigmoid", optimizer="adam", learning_rate=0.00098362, batch_size=10)
LENGTHS = {"the published winner": (1_000, 1_500, 2_500, 5_000, 10_000), "our winner": (1_500, 2_500, 5_000)}  # epochs
WAYS = {  # what is done for a calm curve: the L2 factor and the share of the last epochs whose weights are averaged
    "the last weights": (0.0, 0.0),
    "the mean of the last quarter": (0.0, 0.25),
    "the same with L2 of 1e-05": (1e-5, 0.25),
}
SEEDS = 8
WIDE = 0.1  # of the range of the training items: a gap is where two neighbours are farther apart


def main(argv=None):
    """Measures, and says where the numbers are."""
    parser = argparse.ArgumentParser("python -m benchmarks.gaps", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data-dir", default=os.environ.get("KERASHW_DATA_DIR"))
    options = parser.parse_args(argv)
    from kerashw.commands import quiet_tensorflow

    quiet_tensorflow()
    from kerashw.datasets import load

    dataset = load("regression", options.data_dir, allow_stand_in=False)
    winners = {"the published winner": PUBLISHED, "our winner": winner_of(options.out / "regression" / "metrics.json")}
    told = {
        **about(dataset), "seeds": SEEDS,
        "winners": [{"name": name, "settings": settings, "rows": measured(dataset, settings, LENGTHS[name], SEEDS)}
                    for name, settings in winners.items() if settings],
    }  # fmt: skip
    file = options.out / "regression_gaps.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(file)


def winner_of(file):
    """The settings of a run's winner, as far as they differ from those the published one is told by; None without it."""
    if not file.exists():
        return None
    settings = json.loads(file.read_text(encoding="utf-8"))["settings"]
    return {**{name: settings[name] for name in PUBLISHED}, "hidden": tuple(settings["hidden"]), "dropout": settings["dropout"]}


def about(dataset):
    """The gaps of the training items, and how many of the test items lie in them."""
    return {"gaps": gaps(dataset.x_train[:, 0], WIDE), "test_items": len(dataset.x_test),
            "inside": int(is_inside(dataset).sum())}  # fmt: skip


def is_inside(dataset):
    """Of each test item whether it lies in a gap of the training items."""
    x = dataset.x_test[:, 0]
    return np.any([(low < x) & (x < high) for low, high in gaps(dataset.x_train[:, 0], WIDE)], axis=0)


def measured(dataset, winner, lengths, seeds):
    """For each length and way the test errors of the refits of a winner.

    `together` is the error of the mean of their curves, `inside` that share of all squared errors that lies in the gaps.
    """
    from kerashw.evaluation import predict
    from kerashw.group import Member
    from kerashw.models import mlp
    from kerashw.population import train_together
    from kerashw.training import Task

    every = np.arange(len(dataset.x_train), dtype="int32")
    asked = [(way, length, seed) for way in WAYS for length in lengths for seed in range(seeds)]
    members = [
        Member({**winner, "l2": WAYS[way][0]}, every, None, seed=seed, epochs=length, average=WAYS[way][1])
        for way, length, seed in asked
    ]
    y, inside, errors = dataset.y_test.ravel(), is_inside(dataset), {}
    for (way, length, _), trained in zip(asked, train_together(mlp, members, Task.of(dataset))):
        errors.setdefault((way, length), []).append(predict(trained.model, dataset.x_test).ravel() - y)
    return [
        {
            "way": way, "epochs": epochs, "mse": np.square(each).mean(axis=1).tolist(),
            "inside": float(np.square(each)[:, inside].sum() / np.square(each).sum()),
            "together": float(np.square(np.mean(each, axis=0)).mean()),
        }
        for (way, epochs), each in errors.items()
    ]  # fmt: skip


def gaps(x, wide):
    """The intervals between neighbours that are farther apart than that share of the whole range.

    >>> gaps(np.array([0.0, 4.0, 1.0]), 0.5)
    [(1.0, 4.0)]
    """
    x = np.sort(x)
    return [(float(low), float(high)) for low, high in zip(x, x[1:]) if high - low > wide * (x[-1] - x[0])]


if __name__ == "__main__":
    sys.exit(main())
