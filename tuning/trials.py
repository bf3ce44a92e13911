"""Trials, run in this process: proposals trained on every fold as often as the study asks."""

import math
import time
from collections import Counter

from kerashw.job import Failure, Outcome, work
from kerashw.population import train_in_groups
from kerashw.risk import ATTEMPTS, at_risk, deaths
from tuning.attempts import begun, jobs, member, record
from tuning.garbage import collect_when_due


def run_trials(setup, store, proposals, medians=None, *, deadline=lambda: math.inf, spread=None):
    """The Attempt of each proposal as it ends. Those that the deadline cut short say so, perhaps without a score.

    The deadline is asked for whenever trainings begin, as it may depend on what others came to.

    Small models are trained all together, folds and executions included, perhaps spread over workers; the others one
    after the other.
    """
    attempts = [begun(setup, store, proposal, medians) for proposal in proposals]
    if together := [attempt for attempt in attempts if attempt.together]:
        yield from _train_together(setup, store, together, medians, deadline(), spread)
    for attempt in attempts:
        if attempt.together:
            continue
        if attempt is not attempts[0] and time.monotonic() > deadline():
            attempt.cut = True
        with at_risk(store, [attempt.proposal.number]):
            _train_alone(setup, store, attempt, medians, deadline())
        yield attempt
    if not all(attempt.together for attempt in attempts):
        collect_when_due()


def _train_together(setup, store, attempts, medians, deadline, spread):
    """All missing trainings of all attempts in shared loops; each attempt as it ends.

    Where one of them is at fault they are parted until it is found: by two where processes died of them, each for
    itself where a loop failed.
    """
    numbers = [attempt.proposal.number for attempt in attempts]
    if len(attempts) > 1 and deaths(store, numbers) >= ATTEMPTS:
        middle = len(attempts) // 2
        parts = [attempts[:middle], attempts[middle:]]
    else:
        with at_risk(store, numbers):
            parts = yield from _train_in_loops(setup, store, attempts, medians, deadline, spread)
    for part in parts:
        yield from _train_together(setup, store, part, medians, deadline, spread)


def _train_in_loops(setup, store, attempts, medians, deadline, spread):
    """The same without a look at what happened before; returns those that shared a loop which failed, each as a list."""
    asked = [(attempt, place) for attempt in attempts for place in setup.places]
    # Members that are done are asked for as well: so the groups are those of a search that was never interrupted.
    members = [member(setup, store, attempt, place, medians) for attempt, place in asked]
    missing = {number for number, (attempt, place) in enumerate(asked) if place not in attempt.scores}
    waiting = Counter(id(asked[number][0]) for number in missing)
    yield from (attempt for attempt in attempts if not waiting[id(attempt)])
    again = []
    for numbers, results in train_in_groups(
        setup.study.model, members, setup.task, wanted=missing, objective=setup.objective,
        score_epoch=setup.study.score_epoch, keep_models=False, keep_last=setup.common.keep_last, deadline=deadline,
        report=setup.progress.epochs, spread=spread,
    ):  # fmt: skip
        group = [(*asked[number], members[number].seed) for number in numbers if number in missing]
        if isinstance(results, (Exception, Failure)):
            own = list({id(attempt): attempt for attempt, *_ in group}.values())
            if len(own) > 1:  # one of them is at fault
                again += [attempt for attempt in own if attempt not in again]
                continue
            results = [results] * len(numbers)
        results = [_outcome(result) for number, result in zip(numbers, results) if number in missing]
        record(setup, store, [(*one, result) for one, result in zip(group, results)], medians)
        waiting.subtract(id(attempt) for attempt, *_ in group)
        over = {id(attempt): attempt for attempt, *_ in group if not waiting[id(attempt)]}.values()
        yield from sorted(over, key=lambda attempt: bool(attempt.failures))  # so that a success is known before failures
    for attempt in attempts:
        if waiting[id(attempt)] and attempt not in again:  # the deadline left some of its trainings out
            attempt.cut = True
            yield attempt
    return [[attempt] for attempt in again]


def _outcome(result):
    if isinstance(result, Failure):
        return Outcome(None, result, seconds=0.0)
    if isinstance(result, Exception):
        return Outcome(None, Failure.of(result), seconds=0.0)
    return Outcome(result, None, result.seconds)


def _train_alone(setup, store, attempt, medians, deadline):
    """The missing trainings of one attempt by Keras's fit, each recorded as it ends; none of one that is over."""
    waiting, outcome = jobs(setup, store, attempt, medians, deadline), None
    while (job := following(waiting, outcome)) is not None:
        outcome = work(setup.common, job, callbacks=[setup.progress.callback()])


def following(waiting, outcome):
    """The next of `jobs` after that outcome, None of the first; None where no job is left."""
    try:
        return waiting.send(outcome)
    except StopIteration:
        return None
