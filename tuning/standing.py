"""How a search stands: the trials that have ended, the best of them, and when it is time to stop."""

import math
from dataclasses import dataclass, replace

from kerashw.errors import NoTrialSucceeded
from kerashw.objectives import OBJECTIVES, cost_sign
from kerashw.selection import values_of, winner_of
from tuning.pruning import Medians

# So many failures before any success, and the search gives up: the fault lies in the study, not in a setting. The first
# trials of a grid may share a value that is to blame: then one with another value has to fail as well, or 25 in all.
GIVE_UP_AFTER, GIVE_UP_ANYHOW = 5, 25


@dataclass(frozen=True)
class Budget:
    """The time a run may take, in seconds of time.monotonic: a search ends early enough for a refit before `end`."""

    end: float = math.inf
    total: float = math.inf

    def after(self, seconds):
        """What is left of the budget when an earlier process has used up so many seconds."""
        return replace(self, end=self.end - seconds)

    def search_end(self, refit_seconds):
        """When to stop searching for the sake of the refit and the export, though not before half of the budget."""
        return self.end if self.end == math.inf else self.end - min(1.3 * refit_seconds + 5, self.total / 2)


def spent(store):
    """How many seconds the trials that have ended took; where several were in flight, by the clock.

    >>> from kerashw.store import Store
    >>> store = Store(":memory:")
    >>> for number in (0, 1):
    ...     store.begin_trial(number, {}, is_turn=True)
    >>> for number in (0, 1):
    ...     store.end_trial(number, status="failed", seconds=4.0, is_turn=True)
    >>> 4 <= spent(store) < 5
    True
    """
    trials = [trial for trial in store.trials() if trial.seconds]
    if not store.turns():
        return sum(trial.seconds for trial in trials)
    total, until = 0.0, -math.inf
    for begin, end in sorted((trial.ended - trial.seconds, trial.ended) for trial in trials):
        total += max(end - max(begin, until), 0.0)
        until = max(until, end)
    return total


class Standing:
    """What has come of a search so far, in this process and earlier ones."""

    def __init__(self, setup, store):
        self.setup, self.store = setup, store
        self.ended = {trial.number: trial for trial in store.trials() if trial.status != "running"}
        self.best = None
        for trial in self.ended.values():
            self.best = better(setup.objective, self.best, trial)
        self.medians = Medians(store, setup.objective, setup.study.score_epoch) if setup.study.prunes else None

    def end(self, attempt, is_turn=False):
        """The attempt is over, and counts."""
        number = attempt.proposal.number
        self.store.end_trial(number, **attempt.ended(), is_turn=is_turn)
        self.store.copy_when_due(self.setup.run.store_copy)
        trial = self.ended[number] = self.store.trial(number)
        self.best = better(self.setup.objective, self.best, trial)
        self.setup.progress.trial_ended(trial, self.best)

    def give_up(self, numbers):
        """Trials that the end of the search cut short never were."""
        for number in numbers:
            self.store.add_event("time", f"trial {number} was given up: the search was over")
            self.store.drop_trial(number)

    @property
    def is_hopeless(self):
        """Whether nothing but failures has come of it, and too many of them that no single value explains."""
        names = self.setup.study.searched
        failed = [{name: trial.proposed[name] for name in names} for trial in self.ended.values() if trial.status == "failed"]
        if self.best is not None or len(failed) < GIVE_UP_AFTER:
            return False
        is_shared = any(all(one[name] == value for one in failed) for name, value in failed[0].items())
        return not is_shared or len(failed) >= GIVE_UP_ANYHOW

    def deadline(self, budget):
        """When the search is to stop, in seconds of time.monotonic; without a best trial as late as can be."""
        if budget.end == math.inf:
            return math.inf
        refit = refit_seconds(self.setup, self.store, self.best) if self.best else budget.total
        if self.setup.study.ensemble:
            refit *= math.ceil(self.setup.study.refits / refits_at_once(self.setup, self.best))
        return budget.search_end(refit)

    def winner(self):
        """The trial that wins the search; NoTrialSucceeded where there is none."""
        if self.best is None:
            failed = [trial for trial in self.ended.values() if trial.status == "failed"]
            if not failed:
                raise NoTrialSucceeded("the time budget ended before any trial did: allow more, and repeat the command.")
            raise NoTrialSucceeded(
                f"none of {len(failed)} trials succeeded; the first failed with {failed[0].message}. "
                "Mend the study or its settings, then repeat the command with --overwrite."
            )
        return winner_of(self.ended.values(), self.setup.objectives, self.setup.study.winner)


def told(setup, trial):
    """What an oracle is told of an ended trial: its score, None where it failed, and its values by other objectives."""
    score, *others = values_of(trial, setup.objectives)
    return None if trial.status == "failed" else score, others


def better(objective, best, trial):
    """Whichever of two trials has the better score; the earlier of equal ones; a failed trial never."""
    if trial.status != "completed":
        return best
    if best is None:
        return trial
    sign = cost_sign(OBJECTIVES[objective])
    ahead = sign * best.score - sign * trial.score
    return trial if ahead > 0 or (ahead == 0 and trial.number < best.number) else best


def refit_epochs(setup, best):
    """How many epochs the refit takes: the study's word, or what the winner's executions found best on average."""
    if setup.study.refit_epochs is not None:
        return setup.study.refit_epochs
    if setup.study.score_epoch == "last" or setup.study.refit == "stop":
        return setup.settings_of(best.proposed)["epochs"]
    return max(1, round(sum(done.best_epoch for done in best.executions) / len(best.executions)))


def refits_at_once(setup, best):
    """How many refits are trained at a time: one by each worker, with Ray as many as there is room for.

    Small models share a loop in this process, and what each takes is its share of it: they count as one after the other.
    """
    wanted = setup.study.refits
    if setup.crew.is_one or setup.trains_together(setup.model_of(setup.settings_of(best.proposed))):
        return 1
    return min(setup.crew.workers or wanted, wanted)


def refit_seconds(setup, store, best):
    """How long the refit of that trial is going to take, judged by the epochs of its executions."""
    lengths = (len(store.history(best.number, done.fold, done.execution)["epoch"]) for done in best.executions)
    share = len(setup.task.x) / len(setup.splits[0][0])
    return sum(done.seconds for done in best.executions) / sum(lengths) * refit_epochs(setup, best) * share
