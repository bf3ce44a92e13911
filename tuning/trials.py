"""Trials: proposals trained on every fold as often as the study asks, and what to record of each."""

import contextlib
import math
import re
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from kerashw import interrupts
from kerashw.errors import WorkError
from kerashw.population import Member, suits, train_in_groups
from kerashw.risk import ATTEMPTS, at_risk, deaths
from kerashw.scores import first_below
from kerashw.seeds import derive
from kerashw.space import Hyperband
from kerashw.store import Execution
from kerashw.study import Study
from kerashw.training import Diverged, Task, train
from tuning.garbage import collect_when_due
from tuning.hypermodel import StudyHyperModel
from tuning.promotion import first_of_line, state_after


@dataclass(frozen=True)
class Setup:
    """What stays the same over a search: the study, its task and folds, the seed, and who is told of progress."""

    study: Study
    task: Task
    splits: list  # (train, validation) index pairs, one for each fold
    seed: int
    run: object
    progress: object

    @property
    def objective(self):
        """The metric the search goes by."""
        return self.study.objective or self.task.objective

    @property
    def hypermodel(self):
        """The study as KerasTuner sees it."""
        return StudyHyperModel(self.study, self.task)

    def settings_of(self, proposed):
        """All settings as constants, from the values an oracle proposed."""
        hp = self.hypermodel.space()
        hp.values = dict(proposed)
        return self.hypermodel.settings(hp)

    def model_of(self, settings):
        """The uncompiled model that the settings describe."""
        return self.hypermodel.uncompiled(settings)

    def trains_together(self, model):
        """Whether trainings of that model share one loop: the study's word, or where model and data are small."""
        if self.study.together is not None:
            return self.study.together
        return suits(model, len(self.task.x))

    @property
    def places(self):
        """(fold, execution) of every training of a trial."""
        return [(fold, number) for fold in range(len(self.splits)) for number in range(self.study.executions)]


class TooManyParameters(ValueError):
    """A model lies outside the study's budget of parameters."""


@dataclass
class Attempt:
    """One trial while it is being run: what is known of it so far, by (fold, execution)."""

    proposal: object
    settings: dict | None = None
    parameters: int | None = None
    together: bool = False
    scores: dict = field(default_factory=dict)
    errors: dict = field(default_factory=dict)
    pruned: dict = field(default_factory=dict)  # why the training was given up
    seconds: float = 0.0
    cut: bool = False  # short by the deadline

    def ended(self):
        """The fields of the ended trial; the first of its trainings that failed or was given up decides."""
        common = dict(parameters=self.parameters, seconds=self.seconds)
        last = min((*self.errors, *self.pruned), default=None)
        if last in self.errors:
            error = self.errors[last]
            return dict(status="failed", reason=_reason(error), message=_first_line(error), **common)
        scores = [self.scores[place] for place in sorted(self.scores) if last is None or place <= last]
        common.update(score=float(np.mean(scores)), deviation=float(np.std(scores)))
        if last is not None:
            return dict(status="pruned", reason="median", message=self.pruned[last], **common)
        return dict(status="completed", **common)


def run_trials(setup, store, proposals, medians=None, *, deadline=math.inf):
    """The Attempt of each proposal as it ends. Those that the deadline cut short say so, perhaps without a score.

    Small models are trained all together, folds and executions included; the others one after the other.
    """
    attempts = [_attempt(setup, store, proposal, medians) for proposal in proposals]
    if together := [attempt for attempt in attempts if attempt.together]:
        yield from _train_together(setup, store, together, medians, deadline)
    for attempt in attempts:
        if attempt.together:
            continue
        if attempt is not attempts[0] and time.monotonic() > deadline:
            attempt.cut = True
        with at_risk(store, [attempt.proposal.number]):
            _train_alone(setup, store, attempt, medians, deadline)
        yield attempt
    if not all(attempt.together for attempt in attempts):
        collect_when_due()


def check_parameters(study, count):
    """Nothing, where the study allows so many parameters."""
    if study.parameters is not None and not study.parameters[0] <= count <= study.parameters[1]:
        raise TooManyParameters(
            f"{count:,} parameters, allowed are {study.parameters[0]:,} to {study.parameters[1]:,}"
        )


def _attempt(setup, store, proposal, medians):
    """A trial that is ready to be trained, or has failed before."""
    attempt = Attempt(proposal)
    with _failing(store, attempt, setup.places[0]), at_risk(store, [proposal.number]):
        attempt.settings = setup.settings_of(proposal.proposed)
        model = setup.model_of(attempt.settings)
        attempt.parameters = model.count_params()
        check_parameters(setup.study, attempt.parameters)
        attempt.together = setup.trains_together(model)
        # What an interrupted process had finished is not repeated.
        for done in store.executions(proposal.number):
            place = (done.fold, done.execution)
            attempt.scores[place] = done.score
            attempt.seconds += done.seconds
            bars = _bars(attempt, medians, place)
            history = store.history(proposal.number, *place) if bars else None
            if bars and (epoch := first_below(history, bars, setup.objective, setup.study.score_epoch)):
                attempt.pruned[place] = _why_pruned(setup, done.score, epoch, bars)
    return attempt


@contextlib.contextmanager
def _failing(store, attempt, place):
    """An error in the body fails the trial, not the search."""
    try:
        yield
    except WorkError:  # the run's own files, not the trial
        raise
    except Exception as error:  # whatever a builder, Keras or TensorFlow raises
        interrupts.check()  # they may have made it of a signal, which fails no trial
        attempt.errors[place] = error
        text = "".join(traceback.format_exception(error))
        store.add_event("failure", f"trial {attempt.proposal.number}\n{text}")


def _train_together(setup, store, attempts, medians, deadline):
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
            parts = yield from _train_in_loops(setup, store, attempts, medians, deadline)
    for part in parts:
        yield from _train_together(setup, store, part, medians, deadline)


def _train_in_loops(setup, store, attempts, medians, deadline):
    """The same without a look at what happened before; returns those that shared a loop which failed, each as a list."""
    asked = [(attempt, place) for attempt in attempts for place in setup.places]
    # Members that are done are asked for as well: so the groups are those of a search that was never interrupted.
    members = [_member(setup, store, attempt, place, medians) for attempt, place in asked]
    missing = {number for number, (attempt, place) in enumerate(asked) if place not in attempt.scores}
    waiting = Counter(id(asked[number][0]) for number in missing)
    yield from (attempt for attempt in attempts if not waiting[id(attempt)])
    again = []
    for numbers, results in train_in_groups(
        setup.study.model, members, setup.task, wanted=missing, objective=setup.objective,
        score_epoch=setup.study.score_epoch, keep_models=False, keep_last=_is_hyperband(setup), deadline=deadline,
        report=setup.progress.epochs,
    ):  # fmt: skip
        group = [(*asked[number], members[number].seed) for number in numbers if number in missing]
        if isinstance(results, Exception):
            own = list({id(attempt): attempt for attempt, *_ in group}.values())
            if len(own) > 1:  # one of them is at fault
                again += [attempt for attempt in own if attempt not in again]
                continue
            results = [results] * len(numbers)
        results = [result for number, result in zip(numbers, results) if number in missing]
        _record(setup, store, [(*one, result) for one, result in zip(group, results)], medians)
        for attempt, *_ in group:
            waiting[id(attempt)] -= 1
            if not waiting[id(attempt)]:
                yield attempt
    return [[attempt] for attempt in again]


def _train_alone(setup, store, attempt, medians, deadline):
    """The missing trainings of one attempt by Keras's fit, each recorded as it ends; none of one that is over."""
    for place in setup.places:
        if attempt.pruned or attempt.errors or attempt.cut:
            return
        if place in attempt.scores:
            continue
        member = _member(setup, store, attempt, place, medians)
        began = time.monotonic()
        try:
            result = train(
                setup.study.model, attempt.settings, setup.task, train_indices=member.train_indices,
                validation_indices=member.validation_indices, seed=member.seed, epochs=member.epochs,
                objective=setup.objective, score_epoch=setup.study.score_epoch, start=member.start,
                initial_epoch=member.initial_epoch, keep_last=_is_hyperband(setup), deadline=deadline,
                bars=member.bars, callbacks=[setup.progress.callback()], reuse=True,
            )  # fmt: skip
        except WorkError:  # the run's own files, not the trial
            raise
        except Exception as error:
            result = error
            attempt.seconds += time.monotonic() - began
        _record(setup, store, [(attempt, place, member.seed, result)], medians)


def _member(setup, store, attempt, place, medians):
    """One training: its items by the fold, its chance by the trial, fold and execution."""
    proposal, (fold, execution) = attempt.proposal, place
    train_indices, validation_indices = setup.splits[fold]
    member = Member(
        settings=attempt.settings, train_indices=train_indices, validation_indices=validation_indices,
        # A promoted Hyperband trial goes on with the chance of the trial it comes from.
        seed=derive(setup.seed, "trial", first_of_line(store, proposal.number), fold, execution),
        epochs=proposal.epochs, initial_epoch=proposal.initial_epoch, bars=_bars(attempt, medians, place),
    )  # fmt: skip
    if proposal.parent is None:
        return member
    return replace(member, start=state_after(setup, store, proposal.parent, member, attempt.together))


def _bars(attempt, medians, place):
    return () if medians is None else medians.bars(place, attempt.settings["epochs"])


def _why_pruned(setup, score, epoch, bars):
    return f"{setup.objective} {score:.5g} by epoch {epoch}, where the median of earlier trials was {dict(bars)[epoch]:.5g}"


def _record(setup, store, results, medians):
    """The attempts and the store know of trainings: (attempt, place, seed, Trained or the exception it raised)."""
    executions = []
    for attempt, place, seed, trained in results:
        with _failing(store, attempt, place):
            if isinstance(trained, Exception):
                raise trained
            metrics = trained.at_best()
            score = metrics[setup.objective]
            if not np.isfinite(score):
                raise Diverged(f"{setup.objective} was {score} at epoch {trained.best_epoch}")
            if trained.last is not None:
                setup.run.save_checkpoint(attempt.proposal.number, trained.last)
            # What is no number has no value: R2, for one, where all targets are equal.
            metrics = {name: value for name, value in metrics.items() if np.isfinite(value)}
            history = {
                name: [value if np.isfinite(value) else None for value in values]
                for name, values in trained.history.items()
            }
            record = Execution(*place, seed, score, trained.best_epoch, trained.seconds, metrics)
            executions.append((attempt.proposal.number, record, history))
            attempt.scores[place] = score
            attempt.seconds += trained.seconds
            attempt.cut |= trained.cut
            if trained.pruned is not None:
                attempt.pruned[place] = _why_pruned(setup, score, trained.pruned, _bars(attempt, medians, place))
    store.add_executions(executions)


def _is_hyperband(setup):
    return isinstance(setup.study.search, Hyperband)


def _reason(error):
    import tensorflow as tf

    kinds = {
        "diverged": Diverged,
        "parameters": TooManyParameters,
        "memory": (MemoryError, tf.errors.ResourceExhaustedError),
    }
    return next((reason for reason, kind in kinds.items() if isinstance(error, kind)), "error")


def _first_line(error):
    """What an error says first; Keras puts a line of its own, and bold type, around what a layer raised."""
    lines = [line for line in re.sub(r"\x1b\[\d*m", "", str(error)).splitlines() if line.strip()]
    told = lines[1:] if len(lines) > 1 and lines[0].startswith("Exception encountered when calling") else lines
    return f"{type(error).__name__}: {told[0].strip() if told else 'no message'}"
