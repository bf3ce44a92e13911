"""The search: ask an oracle, run the trial, tell the score; all that happens is in the store at once."""

import math
import time
from dataclasses import dataclass, replace

from kerashw import interrupts
from kerashw.errors import KerashwError, NoTrialSucceeded, UsageError, WorkError
from kerashw.population import suits
from kerashw.settings import builder_keywords
from kerashw.space import Bayesian
from kerashw.study import OBJECTIVES
from tuning.dialogue import ask, tell
from tuning.oracles import expected_work, make_oracle
from tuning.pruning import Medians
from tuning.trials import TooManyParameters, check_parameters, run_trials

# So many failures before any success, and the search gives up: the fault lies in the study, not in a setting.
GIVE_UP_AFTER = 5
AT_ONCE = 1024  # trainings of small models: enough to fill the loops, few enough to look at the clock in between


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


def prepare(setup):
    """The oracle of a search, after a model with its first settings has been built to show that it can be."""
    counts = {}  # models are built once for each structure, not for each learning rate

    def allowed(proposed):
        settings = setup.settings_of(proposed)
        structure = tuple(repr(settings.get(name)) for name in builder_keywords(setup.study.model))
        if structure not in counts:
            try:
                counts[structure] = setup.model_of(settings).count_params()
            except Exception:  # whatever a builder raises: the trial will fail of it, and tell
                return True
        try:
            check_parameters(setup.study, counts[structure])
        except TooManyParameters:
            return False
        return True

    try:
        model = setup.model_of(first_settings(setup))
    except KerashwError:
        raise
    except Exception as error:
        raise UsageError(
            f"{setup.study.model.__name__} cannot be built for items of shape {setup.task.x.shape[1:]} with the first "
            f"settings ({' '.join(str(error).split())[:200]}): change model or settings."
        ) from error
    if setup.study.together and not suits(model, len(setup.task.x)):
        raise UsageError(
            f"together=True: {model.name} with {model.count_params():,} parameters on {len(setup.task.x):,} items is no "
            "small chain of dense layers; leave `together` out."
        )
    oracle = make_oracle(
        setup.study, setup.hypermodel, objective=setup.objective, seed=setup.seed,
        allowed=allowed if setup.study.parameters else None,
    )  # fmt: skip
    trials, _ = expected_work(oracle, setup.study)
    oracle.batch = at_once(setup, model, trials)
    if trials == 0:
        low, high = setup.study.parameters
        raise UsageError(f"no combination has between {low:,} and {high:,} parameters: widen one or the other.")
    return oracle


def search(setup, store, oracle, budget=Budget()):
    """The best trial, once every trial has ended or the time for them has; NoTrialSucceeded without any.

    The oracle is asked for trials that the store holds as well, and told what became of them: so it goes on as if it
    had never stopped.
    """
    recorded = {trial.number: trial for trial in store.trials()}
    values = {number: trial.proposed for number, trial in recorded.items()}
    ended = {number: trial for number, trial in recorded.items() if trial.status != "running"}
    best = None
    for trial in ended.values():
        best = better(setup.objective, best, trial)
    medians = Medians(store, setup.objective, setup.study.score_epoch) if setup.study.prunes else None
    setup.progress.search_began(setup.objective, list(ended.values()), best, *expected_work(oracle, setup.study))
    over = _is_hopeless(ended.values(), best)
    while not over and (proposals := ask(oracle, values)):
        interrupts.check()
        waiting = {proposal.number: proposal for proposal in proposals if proposal.number not in ended}
        if waiting:
            deadline = budget.search_end(refit_seconds(setup, store, best) if best else budget.total)
            if best and time.monotonic() > deadline:
                break
            is_first = best is None
            for proposal in waiting.values():
                store.begin_trial(proposal.number, proposal.proposed)
            for attempt in run_trials(setup, store, list(waiting.values()), medians, deadline=deadline):
                over |= attempt.cut
                if attempt.cut and not (is_first and attempt.scores):
                    continue
                number = attempt.proposal.number
                store.end_trial(number, **attempt.ended())
                store.copy_when_due(setup.run.store_copy)
                trial = ended[number] = store.trial(number)
                best = better(setup.objective, best, trial)
                setup.progress.trial_ended(trial, best)
                del waiting[number]
                if _is_hopeless(ended.values(), best):
                    over = True
                    break
            for number in waiting:
                store.add_event("time", f"trial {number} was given up: the search was over")
                store.drop_trial(number)
        for proposal in proposals if not over else ():
            trial = ended[proposal.number]
            tell(oracle, proposal, None if trial.status == "failed" else trial.score)
            if medians:
                medians.learn(trial)
    if not over and (more := [number for number in recorded if number >= len(oracle.trials)]):
        raise WorkError(f"trials.db: trial {more[0]} was recorded, but this search ends before it: --overwrite.")
    if best is None:
        failed = [trial for trial in ended.values() if trial.status == "failed"]
        raise NoTrialSucceeded(
            f"none of {len(failed)} trials succeeded; the first failed with {failed[0].message}. "
            "Mend the study or its settings, then repeat the command with --overwrite."
        )
    return best


def _is_hopeless(ended, best):
    return best is None and sum(trial.status == "failed" for trial in ended) >= GIVE_UP_AFTER


def at_once(setup, model, trials):
    """How many of so many trials to ask for: of small models enough to fill the loops, of others one.

    Later proposals of a Bayesian search are to learn from earlier ones, so it asks for a tenth of all at most; and
    a trial can only be given up for the sake of others that ended before it began.
    """
    if not setup.trains_together(model):
        return 1
    most = max(1, AT_ONCE // len(setup.places))
    if isinstance(setup.study.search, Bayesian):
        most = min(most, 16, trials // 10)
    if setup.study.prunes:
        most = min(most, -(-trials // 4))
    return max(1, most)


def first_settings(setup):
    """The settings at the start of every range."""
    return setup.settings_of(setup.hypermodel.space().values)


def better(objective, best, trial):
    """Whichever of two trials has the better score; the earlier of equal ones; a failed trial never."""
    if trial.status != "completed":
        return best
    if best is None:
        return trial
    sign = 1 if OBJECTIVES[objective] == "max" else -1
    return trial if sign * trial.score > sign * best.score else best


def refit_epochs(setup, best):
    """How many epochs the refit takes: the study's word, or what the winner's executions found best on average."""
    if setup.study.refit_epochs is not None:
        return setup.study.refit_epochs
    if setup.study.score_epoch == "last" or setup.study.refit == "stop":
        return setup.settings_of(best.proposed)["epochs"]
    return max(1, round(sum(done.best_epoch for done in best.executions) / len(best.executions)))


def refit_seconds(setup, store, best):
    """How long the refit of that trial is going to take, judged by the epochs of its executions."""
    lengths = (len(store.history(best.number, done.fold, done.execution)["epoch"]) for done in best.executions)
    share = len(setup.task.x) / len(setup.splits[0][0])
    return sum(done.seconds for done in best.executions) / sum(lengths) * refit_epochs(setup, best) * share
