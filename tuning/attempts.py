"""Attempts: trials while they are being run, the trainings they are made of, and what is recorded of each."""

import math
import time
from dataclasses import dataclass, field, replace

import numpy as np

from kerashw import interrupts
from kerashw.errors import WorkError
from kerashw.job import Failure, Job, check_parameters
from kerashw.latency import latency_of
from kerashw.population import Member
from kerashw.risk import at_risk
from kerashw.scores import first_below
from kerashw.seeds import derive
from kerashw.store import Execution
from kerashw.training import Diverged
from tuning.promotion import first_of_line, state_after


@dataclass
class Attempt:
    """One trial while it is being run: what is known of it so far, by (fold, execution)."""

    proposal: object
    settings: dict | None = None
    parameters: int | None = None
    latency: float | None = None  # milliseconds, where it is an objective
    together: bool = False
    scores: dict = field(default_factory=dict)
    failures: dict = field(default_factory=dict)
    pruned: dict = field(default_factory=dict)  # why the training was given up
    seconds: float = 0.0
    cut: bool = False  # short by the deadline

    @property
    def is_over(self):
        """Whether no training of it is to follow, though some may be missing."""
        return bool(self.failures or self.pruned or self.cut)

    def ended(self):
        """The fields of the ended trial; the first of its trainings that failed or was given up decides."""
        common = dict(parameters=self.parameters, seconds=self.seconds)
        last = min((*self.failures, *self.pruned), default=None)
        if last in self.failures:
            failure = self.failures[last]
            return dict(status="failed", reason=failure.reason, message=failure.message, **common)
        scores = [self.scores[place] for place in sorted(self.scores) if last is None or place <= last]
        mean = math.fsum(scores) / len(scores)
        deviation = math.dist(scores, [mean] * len(scores)) / math.sqrt(len(scores))
        common.update(score=mean, deviation=deviation)
        if last is not None:
            return dict(status="pruned", reason="median", message=self.pruned[last], **common)
        return dict(status="completed", **common)


def begun(setup, store, proposal, medians, *, elsewhere=False):
    """A trial that is ready to be trained, or has failed before. One trained elsewhere is not built here as well."""
    attempt = Attempt(proposal)
    finished = store.executions(proposal.number)
    try:
        attempt.settings = setup.settings_of(proposal.proposed)
        if finished or not elsewhere:
            with at_risk(store, [proposal.number]):
                model = setup.model_of(attempt.settings)
            attempt.parameters = model.count_params()
            check_parameters(setup.study.parameters, attempt.parameters)
            attempt.together = setup.trains_together(model)
            if setup.common.wants_latency:  # measured while nothing else is trained in this process
                attempt.latency = finished[0].metrics["latency"] if finished else latency_of(model)
        # What an interrupted process had finished is not repeated.
        for done in finished:
            place = (done.fold, done.execution)
            attempt.scores[place] = done.score
            attempt.seconds += done.seconds
            bars = _bars(attempt, medians, place)
            history = store.history(proposal.number, *place) if bars else None
            if bars and (epoch := first_below(history, bars, setup.objective, setup.study.score_epoch)):
                attempt.pruned[place] = _why_pruned(setup, done.score, epoch, bars)
    except WorkError:  # the run's own files, not the trial
        raise
    except Exception as error:  # whatever a builder, Keras or TensorFlow raises
        fail(store, attempt, setup.places[0], Failure.of(error))
    return attempt


def jobs(setup, store, attempt, medians, deadline):
    """The Job of each training an attempt still needs, in their order. Each is answered with its Outcome, by `send`."""
    for place in setup.places:
        if attempt.is_over:
            return
        if place in attempt.scores:
            continue
        one = member(setup, store, attempt, place, medians)
        outcome = yield Job(
            attempt.settings, fold=place[0], seed=one.seed, epochs=one.epochs, initial_epoch=one.initial_epoch,
            start=one.start, bars=one.bars, seconds=deadline - time.monotonic(), parameters=attempt.parameters,
        )  # fmt: skip
        record(setup, store, [(attempt, place, one.seed, outcome)], medians)


def member(setup, store, attempt, place, medians):
    """One training: its items by the fold, its chance by the trial, fold and execution."""
    proposal, (fold, execution) = attempt.proposal, place
    train_indices, validation_indices = setup.splits[fold]
    first = proposal.number if proposal.parent is None else first_of_line(store, proposal.number)
    one = Member(
        settings=attempt.settings, train_indices=train_indices, validation_indices=validation_indices,
        # A promoted Hyperband trial goes on with the chance of the trial it comes from.
        seed=derive(setup.seed, "trial", first, fold, execution),
        epochs=proposal.epochs, initial_epoch=proposal.initial_epoch, bars=_bars(attempt, medians, place),
    )  # fmt: skip
    if proposal.parent is None:
        return one
    return replace(one, start=state_after(setup, store, proposal.parent, execution, one, attempt.together))


def record(setup, store, results, medians):
    """The attempts and the store know of trainings: (attempt, place, seed, Outcome)."""
    executions = []
    for attempt, place, seed, outcome in results:
        attempt.seconds += outcome.seconds
        attempt.parameters = attempt.parameters or outcome.parameters
        attempt.latency = attempt.latency or outcome.latency
        if outcome.failure:
            fail(store, attempt, place, outcome.failure)
            continue
        trained = outcome.trained
        metrics = trained.at_best()
        score = metrics[setup.objective]
        if not np.isfinite(score):
            diverged = Diverged(f"{setup.objective} was {score} at epoch {trained.best_epoch}")
            fail(store, attempt, place, Failure.of(diverged))
            continue
        if trained.last is not None:
            setup.run.save_checkpoint(attempt.proposal.number, trained.last, place[1], attempt.together)
        # What is no number has no value: R2, for one, where all targets are equal.
        metrics = {name: value for name, value in metrics.items() if np.isfinite(value)}
        if attempt.latency is not None:
            metrics["latency"] = attempt.latency
        history = {
            name: [value if np.isfinite(value) else None for value in values]
            for name, values in trained.history.items()
        }
        done = Execution(*place, seed, score, trained.best_epoch, trained.seconds, metrics)
        executions.append((attempt.proposal.number, done, history))
        attempt.scores[place] = score
        attempt.cut |= trained.cut
        if trained.pruned is not None:
            attempt.pruned[place] = _why_pruned(setup, score, trained.pruned, _bars(attempt, medians, place))
    store.add_executions(executions)


def fail(store, attempt, place, failure):
    """The trial fails, not the search."""
    interrupts.check()  # a library may have made the failure of a signal, which fails no trial
    attempt.failures[place] = failure
    store.add_event("failure", f"trial {attempt.proposal.number}\n{failure.trace}")


def _bars(attempt, medians, place):
    return () if medians is None else medians.bars(place, attempt.settings["epochs"])


def _why_pruned(setup, score, epoch, bars):
    return f"{setup.objective} {score:.5g} by epoch {epoch}, where the median of earlier trials was {dict(bars)[epoch]:.5g}"
