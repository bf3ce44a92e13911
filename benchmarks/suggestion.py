"""The time of one Bayesian suggestion, in the space of the regression study, by the number of finished trials."""

import statistics

from benchmarks.problem import Problem
from benchmarks.processes import as_anyone, as_kerashw, process
from benchmarks.rows import Row, Target, with_peer
from kerashw.space import Bayesian

LIMIT = 50  # ms at 400 finished trials
SHARE = 1.2  # ours is averaged from n / 1.2 to n trials, in which its kernel is fitted about once


def measure(asked):
    """Rows at 50 to 400 finished trials against KerasTuner's oracle, one against Optuna."""
    finished = asked.of(smoke=[20, 30], quick=[50, 100, 200, 400], full=[50, 100, 200, 400])
    with process(as_kerashw) as answer:
        mine = answer("suggestion:seconds", "ours", asked.data_dir, max(finished), None)
    with process(as_anyone) as answer:
        theirs = answer("suggestion:seconds", "KerasTuner", asked.data_dir, max(finished) + 2, finished)
    averaged = {number: 1000 * statistics.mean(mine[int(number / SHARE) : number]) for number in finished}
    for number in finished:
        yield Row(
            what=f"a suggestion at {number} trials", ours=averaged[number], unit="ms",
            peer=1000 * statistics.mean(theirs[number : number + 2]), peer_name="KerasTuner's oracle",
            target=Target("ours", "<=", LIMIT) if number == max(finished) else None,
            note=f"ours is averaged over the trials from n / {SHARE} to n, the peer's over two",
        )  # fmt: skip
    last = max(finished)
    what = f"a suggestion at {last} trials"

    def compared():
        with process(as_anyone) as answer:
            other = answer("suggestion:seconds", "Optuna TPE", asked.data_dir, last, None)
        return Row(
            what=what, ours=averaged[last], unit="ms",
            peer=1000 * statistics.mean(other[int(last / SHARE) :]), peer_name="Optuna TPE, in memory",
        )  # fmt: skip

    yield with_peer("optuna", what, compared)


def seconds(side, data_dir, trials, think_at):
    """Seconds of every suggestion of one search, scored by a smooth function of the learning rate."""
    from benchmarks.proposers import SIDES

    study = Problem("regression", data_dir).study.but(search=Bayesian(trials=trials))
    more = {} if think_at is None else {"think_at": think_at}

    def score(values):
        return (values["learning_rate"] * 1000 - 1) ** 2 + values["dropout"] + values["batch_size"] / 100

    return [seconds for seconds, _ in SIDES[side](study, score, 0, **more)]
