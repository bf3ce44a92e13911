"""The search: ask an oracle, run the trial, tell the score; all that happens is in the store at once."""

import math
import time
from dataclasses import dataclass, replace

from kerashw import interrupts
from kerashw.errors import KerashwError, NoTrialSucceeded, UsageError
from kerashw.population import TOGETHER, suits
from kerashw.settings import builder_keywords
from kerashw.space import Bayesian, Hyperband
from kerashw.study import OBJECTIVES
from tuning.oracles import ask, expected_work, make_oracle, replay, tell
from tuning.trials import TooManyParameters, check_parameters, run_trials

# So many failures before any success, and the search gives up: the fault lies in the study, not in a setting.
GIVE_UP_AFTER = 5


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
            counts[structure] = setup.model_of(settings).count_params()
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
    oracle.batch = at_once(setup, model)
    if expected_work(oracle, setup.study)[0] == 0:
        low, high = setup.study.parameters
        raise UsageError(f"no combination has between {low:,} and {high:,} parameters: widen one or the other.")
    return oracle


def search(setup, store, oracle, budget=Budget()):
    """The best trial, once every trial has ended or the time for them has; NoTrialSucceeded without any.

    Trials that the store holds are replayed into the oracle, which then goes on as if it had never stopped.
    """
    best, failures = None, []
    recorded = store.trials()
    for trial in recorded:
        if trial.status != "running":
            replay(oracle, trial)
            best = better(setup.objective, best, trial)
            failures += [trial] if trial.status == "failed" else []
    setup.progress.search_began(setup.objective, recorded, best, *expected_work(oracle, setup.study))
    over = best is None and len(failures) >= GIVE_UP_AFTER
    while not over:
        deadline = budget.search_end(refit_seconds(setup, store, best) if best else budget.total)
        if best and time.monotonic() > deadline:
            break
        proposals = ask(oracle)
        over = not proposals
        interrupts.check()
        for proposal in proposals:
            store.begin_trial(proposal.number, proposal.proposed)
        results = run_trials(setup, store, proposals, deadline=deadline, whole=best is not None)
        for proposal, ended in zip(proposals, results):
            over |= ended is None
            if over:  # what comes after a trial that was given up goes too: a continued search leaves out no number
                store.add_event("time", f"trial {proposal.number} was given up: the time for the search was over")
                store.drop_trial(proposal.number)
                continue
            store.end_trial(proposal.number, **ended)
            tell(oracle, proposal, ended.get("score"))
            trial = store.trial(proposal.number)
            best = better(setup.objective, best, trial)
            failures += [trial] if trial.status == "failed" else []
            setup.progress.trial_ended(trial, best)
        over |= best is None and len(failures) >= GIVE_UP_AFTER
    if best is None:
        raise NoTrialSucceeded(
            f"none of {len(failures)} trials succeeded; the first failed with {failures[0].message}. "
            "Mend the study or its settings, then repeat the command with --overwrite."
        )
    return best


def at_once(setup, model):
    """How many trials to ask for: of small models as many as share a loop well, of others one.

    Later proposals of a Bayesian search are to learn from earlier ones, so it asks for a tenth of all at most;
    Hyperband for one, since its rounds wait for their scores.
    """
    search = setup.study.search
    if isinstance(search, Hyperband) or not setup.trains_together(model):
        return 1
    most = max(1, TOGETHER // len(setup.places))
    return max(1, min(most, 16, search.trials // 10)) if isinstance(search, Bayesian) else most


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
