"""The dialogue with an oracle: it is asked for a batch of proposals, and told the score of each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Proposal:
    """What to try next. A Hyperband promotion goes on from trial `parent` at `initial_epoch`."""

    number: int
    proposed: dict
    epochs: int | None = None
    initial_epoch: int = 0
    parent: int | None = None


def ask(oracle, recorded=None, count=None):
    """The proposals of the next batch, fewer at the end of the search; all are to be told before the next is asked for.

    With a `count` they are so many whatever has been told, fewer where the oracle waits for results. `recorded` has
    the values of trials that an earlier process had begun, by their numbers; a WorkError says where the oracle
    proposes others.
    """
    oracle.recorded = recorded or {}
    proposals = []
    if count is None:
        count = oracle.batch_of(len(oracle.trials))[1] - len(oracle.trials)
    while len(proposals) < count:
        # KerasTuner knows who asks by name, and gives one trial to each.
        trial = oracle.create_trial(f"asker of {len(oracle.trials)}")
        if trial.status != "RUNNING":
            break
        proposed = dict(trial.hyperparameters.values)
        parent = proposed.get("tuner/trial_id")
        proposals.append(Proposal(
            number=int(trial.trial_id),
            proposed=proposed,
            epochs=proposed.get("tuner/epochs"),
            initial_epoch=proposed.get("tuner/initial_epoch", 0),
            parent=None if parent is None else int(parent),
        ))  # fmt: skip
    return proposals


def tell(oracle, proposal, score, others=()):
    """The oracle knows the score of a trial it proposed; None says that it failed.

    `others` are its values by further objectives, in their order.
    """
    trial = next(trial for trial in oracle.ongoing_trials.values() if int(trial.trial_id) == proposal.number)
    if score is not None:
        oracle.scores[trial.trial_id], oracle.others[trial.trial_id] = score, others
    trial.status = "FAILED" if score is None else "COMPLETED"
    oracle.end_trial(trial)
