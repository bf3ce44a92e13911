"""The search: ask an oracle, run the trial, tell the score; all that happens is in the store at once."""

import contextlib
import functools
import time

from kerashw import interrupts
from kerashw.errors import KerashwError, UsageError, WorkError
from kerashw.job import TooManyParameters, check_parameters
from kerashw.population import suits
from kerashw.settings import builder_keywords
from kerashw.space import Bayesian
from tuning.dialogue import ask, tell
from tuning.oracles import expected_work, make_oracle
from tuning.standing import Budget, Standing, told
from tuning.trials import run_trials

AT_ONCE = 1024  # trainings of small models: enough to fill the loops, few enough to look at the clock in between


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
            check_parameters(setup.study.parameters, counts[structure])
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
        setup.study, setup.hypermodel, objective=setup.objective, others=setup.objectives[1:], seed=setup.seed,
        allowed=allowed if setup.study.parameters else None,
    )  # fmt: skip
    trials, _ = expected_work(oracle, setup.study)
    oracle.batch = at_once(setup, model, trials)
    if trials == 0:
        low, high = setup.study.parameters
        raise UsageError(f"no combination has between {low:,} and {high:,} parameters: widen one or the other.")
    return oracle


def search(setup, store, oracle, budget=Budget(), spread=None):
    """The best trial, once every trial has ended or the time for them has; NoTrialSucceeded without any.

    The oracle is asked for trials that the store holds as well, and told what became of them: so it goes on as if it
    had never stopped. A `kerashw.spread.Spread` may have small models trained by workers.
    """
    recorded = {trial.number: trial.proposed for trial in store.trials()}
    standing = Standing(setup, store)
    ended, medians = standing.ended, standing.medians
    setup.progress.search_began(setup.objective, list(ended.values()), standing.best, *expected_work(oracle, setup.study))
    over = standing.is_hopeless
    while not over and (proposals := ask(oracle, recorded)):
        interrupts.check()
        waiting = {proposal.number: proposal for proposal in proposals if proposal.number not in ended}
        if waiting:
            deadline = functools.partial(standing.deadline, budget)
            if standing.best and time.monotonic() > deadline():
                break
            is_first = standing.best is None
            for proposal in waiting.values():
                store.begin_trial(proposal.number, proposal.proposed)
            for attempt in run_trials(setup, store, list(waiting.values()), medians, deadline=deadline, spread=spread):
                over |= attempt.cut
                if attempt.cut and not (is_first and attempt.scores):
                    continue
                standing.end(attempt)
                del waiting[attempt.proposal.number]
                if standing.is_hopeless:
                    over = True
                    break
            over |= bool(waiting)  # what the deadline left was not even begun
            standing.give_up(waiting)
        for proposal in proposals if not over else ():
            trial = ended[proposal.number]
            tell(oracle, proposal, *told(setup, trial))
            if medians:
                medians.learn(trial)
    if not over and (more := [number for number in recorded if number >= len(oracle.trials)]):
        raise WorkError(f"trials.db: trial {more[0]} was recorded, but this search ends before it: --overwrite.")
    return standing.winner()


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


def are_small(setup):
    """Whether models are trained many at once, those of the first settings as well as those of the largest.

    What cannot be built is not asked: its trial will fail of it, and tell.
    """
    space = setup.hypermodel.space()
    largest = {hp.name: _largest(hp) for hp in space.space}
    for values in (space.values, largest):
        with contextlib.suppress(Exception):
            if not setup.trains_together(setup.model_of(setup.settings_of(values))):
                return False
    return True


def _largest(hp):
    """The largest value of a hyperparameter, the last one where they have no order."""
    if not hasattr(hp, "values"):
        return hp.max_value
    return max(hp.values) if getattr(hp, "ordered", False) else hp.values[-1]
