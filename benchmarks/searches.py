"""Whole searches of the regression reports against KerasTuner with `fit`, a PyTorch loop and skorch's grid."""

import tempfile

from benchmarks import runs
from benchmarks.problem import Problem, summed, whole_search
from benchmarks.processes import as_anyone, one_thread, process
from benchmarks.rows import Row, Target, with_peer

EXTRAPOLATED = "the peer's time is extrapolated"
LONGEST = 240  # seconds that the 400 trials of `regression` may take


def regression_cv(asked):
    """300 random trials x 5 folds x 150 epochs, the whole command."""
    trials = asked.of(smoke=4, quick=300, full=300)
    epochs = asked.of(smoke=3, quick=150, full=150)
    with tempfile.TemporaryDirectory() as folder:
        done = runs.tune(
            asked, "regression_cv", "--preset", "paper", "--trials", trials, "--epochs", epochs, out=folder
        )
        yield from _against(
            asked, done, "random", trials, epochs, f"regression_cv, {trials} trials x 5 folds, whole command",
            done.seconds, Target("ratio", ">=", 150), None,
        )  # fmt: skip


def regression(asked):
    """The Bayesian search of 1,500 epochs a trial, without start and refit: all 400 trials, or half of them."""
    trials = asked.of(smoke=4, quick=120, full=400)
    epochs = asked.of(smoke=3, quick=1500, full=1500)
    with tempfile.TemporaryDirectory() as folder:
        done = runs.tune(
            asked, "regression", "--preset", "paper", "--trials", trials, "--epochs", epochs, out=folder
        )
        seconds = done.run.metrics()["seconds"]["search"]
        whole = Problem("regression", asked.data_dir).study.search.trials
        yield Row(
            what=f"regression, {whole} trials, whole search", ours=seconds * whole / trials,
            target=Target("ours", "<=", LONGEST),
            note="" if trials == whole else f"{trials} of {whole} trials were run, their time multiplied accordingly",
        )  # fmt: skip
        yield from _against(
            asked, done, "bayesian", trials, epochs, f"regression, {trials} trials, search", seconds,
            Target("ratio", ">=", 150), Target("ratio", ">=", 10),
        )  # fmt: skip


def regression_leaky(asked):
    """The grid of two arms with 4 folds, the whole command."""
    epochs = asked.of(smoke=2, quick=None, full=None)
    changed = ["--epochs", epochs] if epochs else []
    what = "regression_leaky, 2 grids of 12 x 4 folds" if not epochs else "regression_leaky, 2 grids of 4 x 4 folds"
    with tempfile.TemporaryDirectory() as folder:
        done = runs.tune(asked, "regression_leaky", "--preset", "paper", *changed, out=folder)

    def compared():
        with process(one_thread) as answer:
            peer = answer("skorch_grid:grid_seconds", asked.data_dir, epochs)
        return Row(
            what=what, ours=done.seconds, peer=peer, peer_name="skorch, GridSearchCV",
            note="kerashw: the whole command with start, refit, test and export; skorch: both grid searches alone, on "
            "all processors",
        )  # fmt: skip

    yield with_peer("skorch", what, compared)


def _against(asked, done, kind, trials, epochs, what, seconds, of_fit, of_torch):
    """Rows against KerasTuner with fit, and against the PyTorch loop, for settings that the search itself tried."""
    problem = Problem("regression_cv" if kind == "random" else "regression", asked.data_dir)
    sample = done.proposals(asked.of(smoke=2, quick=6, full=24))
    measured = asked.of(smoke=4, quick=12, full=40)
    points = sorted({0, trials // 4, trials // 2, trials})
    with process(as_anyone) as answer:
        trainings = answer("stock_tuner:fit_trainings", problem, sample, measured)
        own = summed(points, answer("stock_tuner:overhead", kind, problem, points))
    fit = whole_search(trainings, [epochs] * len(trainings), trials=trials, per_trial=problem.trainings)
    later = sorted(training.later for training in trainings)[len(trainings) // 2]
    yield Row(
        what=what, ours=seconds, peer=fit + own, peer_name="KerasTuner + fit", target=of_fit,
        note=f"{EXTRAPOLATED}: {measured} epochs of {len(sample)} of the search's own trials, median "
        f"{1000 * later:.3g} ms an epoch, plus {own:.3g} s for KerasTuner's own work, measured at "
        f"{', '.join(map(str, points))} finished trials",
    )  # fmt: skip

    def loop():
        with process(one_thread) as answer:
            each = answer("torch_loop:epoch_seconds", problem, sample, asked.of(smoke=4, quick=40, full=200))
        mean = sum(each) / len(each)
        return Row(
            what=what, ours=seconds, peer=trials * problem.trainings * epochs * mean, peer_name="PyTorch loop",
            target=of_torch,
            note=f"{EXTRAPOLATED}: mean {1000 * mean:.3g} ms an epoch over {len(sample)} of the search's own trials, "
            "one thread",
        )  # fmt: skip

    yield with_peer("torch", what, loop)
