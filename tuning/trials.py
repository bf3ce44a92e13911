"""Trials: proposals trained on every fold as often as the study asks, and what to record of each."""

import gc
import math
import time
import traceback
from dataclasses import dataclass, field, replace

import numpy as np

from kerashw.errors import WorkError
from kerashw.population import Member, suits, train_together
from kerashw.seeds import derive
from kerashw.space import Hyperband
from kerashw.store import Execution
from kerashw.study import Study
from kerashw.training import Diverged, Task, train
from tuning.hypermodel import StudyHyperModel


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
class _Attempt:
    """One trial while it is being run: what is known of it so far."""

    proposal: object
    began: float = field(default_factory=time.monotonic)
    settings: dict | None = None
    parameters: int | None = None
    together: bool = False
    scores: dict = field(default_factory=dict)  # by (fold, execution)
    error: Exception | None = None
    cut: bool = False

    def ended(self, seconds):
        """The fields of the ended trial."""
        common = dict(parameters=self.parameters, seconds=seconds)
        if self.error is not None:
            return dict(status="failed", reason=_reason(self.error), message=_first_line(self.error), **common)
        scores = [self.scores[place] for place in sorted(self.scores)]
        return dict(status="completed", score=float(np.mean(scores)), deviation=float(np.std(scores)), **common)


def run_trials(setup, store, proposals, *, deadline=math.inf, whole=True):
    """The fields of the ended trial for each proposal; None for one the deadline cut short, where `whole` is asked.

    Small models are trained all together, folds and executions included; the others one after the other.
    """
    attempts = [_attempt(setup, store, proposal) for proposal in proposals]
    ready = [attempt for attempt in attempts if attempt.error is None]
    together = [attempt for attempt in ready if attempt.together]
    began = time.monotonic()
    _train_together(setup, store, together, deadline)
    shared = (time.monotonic() - began) / max(len(together), 1)
    results = []
    for attempt in attempts:
        seconds = shared
        if attempt.error is None and not attempt.together:
            began = time.monotonic()
            _guarded(store, attempt, lambda attempt=attempt: _train_alone(setup, store, attempt, deadline))
            seconds = time.monotonic() - began
        results.append(None if attempt.cut and whole else attempt.ended(seconds))
    _forget_models()
    return results


def check_parameters(study, count):
    """Nothing, where the study allows so many parameters."""
    if study.parameters is not None and not study.parameters[0] <= count <= study.parameters[1]:
        raise TooManyParameters(
            f"{count:,} parameters, allowed are {study.parameters[0]:,} to {study.parameters[1]:,}"
        )


def _attempt(setup, store, proposal):
    """A trial that is ready to be trained, or has failed before."""
    attempt = _Attempt(proposal)

    def prepare():
        attempt.settings = setup.settings_of(proposal.proposed)
        model = setup.model_of(attempt.settings)
        attempt.parameters = model.count_params()
        check_parameters(setup.study, attempt.parameters)
        attempt.together = setup.trains_together(model)
        # What an interrupted process had finished is not repeated.
        attempt.scores = {(done.fold, done.execution): done.score for done in store.executions(proposal.number)}

    _guarded(store, attempt, prepare)
    return attempt


def _guarded(store, attempt, work):
    """The work is done, or the attempt holds the error: a failed trial does not end the search."""
    try:
        work()
    except WorkError:  # the run's own files, not the trial
        raise
    except Exception as error:  # whatever a builder, Keras or TensorFlow raises
        _note(store, attempt, error)


def _note(store, attempt, error):
    attempt.error = error
    text = "".join(traceback.format_exception(error))
    store.add_event("failure", f"trial {attempt.proposal.number}\n{text}")


def _train_together(setup, store, attempts, deadline):
    """All missing trainings of all attempts in shared loops."""
    asked = [(attempt, place, _member(setup, store, attempt, place))
             for attempt in attempts for place in setup.places if place not in attempt.scores]  # fmt: skip
    if not asked:
        return
    try:
        results = train_together(
            setup.study.model, [member for _, _, member in asked], setup.task,
            objective=setup.objective, score_epoch=setup.study.score_epoch, keep_models=False,
            keep_last=_is_hyperband(setup), deadline=deadline, report=setup.progress.epochs,
        )  # fmt: skip
    except WorkError:  # the run's own files, not the trial
        raise
    except Exception as error:
        if len(attempts) == 1:
            _note(store, attempts[0], error)
            return
        for attempt in attempts:  # one of them is at fault: each for itself
            _train_together(setup, store, [attempt], deadline)
        return
    for (attempt, place, member), trained in zip(asked, results):
        if isinstance(trained, Exception):
            _note(store, attempt, trained)
        elif attempt.error is None:
            _guarded(store, attempt, lambda: _record(setup, store, attempt, place, member.seed, trained))


def _train_alone(setup, store, attempt, deadline):
    """The missing trainings of one attempt by Keras's fit, each recorded as it ends."""
    for place in setup.places:
        if place in attempt.scores:
            continue
        member = _member(setup, store, attempt, place)
        trained = train(
            setup.study.model, attempt.settings, setup.task, train_indices=member.train_indices,
            validation_indices=member.validation_indices, seed=member.seed, epochs=member.epochs,
            objective=setup.objective, score_epoch=setup.study.score_epoch, start=member.start,
            initial_epoch=member.initial_epoch, keep_last=_is_hyperband(setup), deadline=deadline,
            callbacks=[setup.progress.callback()],
        )  # fmt: skip
        _record(setup, store, attempt, place, member.seed, trained)
        if attempt.cut:
            return


def _member(setup, store, attempt, place):
    """One training: its items by the fold, its chance by the trial, fold and execution."""
    proposal, (fold, execution) = attempt.proposal, place
    train_indices, validation_indices = setup.splits[fold]
    member = Member(
        settings=attempt.settings, train_indices=train_indices, validation_indices=validation_indices,
        # A promoted Hyperband trial goes on with the chance of the trial it comes from.
        seed=derive(setup.seed, "trial", _first_of_line(store, proposal), fold, execution),
        epochs=proposal.epochs, initial_epoch=proposal.initial_epoch,
    )  # fmt: skip
    if proposal.parent is None:
        return member
    return replace(member, start=setup.run.load_checkpoint(proposal.parent))


def _record(setup, store, attempt, place, seed, trained):
    """The store knows of a training; one that the deadline cut counts only if its trial is going to."""
    metrics = trained.at_best()
    score = metrics[setup.objective]
    if not np.isfinite(score):
        raise Diverged(f"{setup.objective} was {score} at epoch {trained.best_epoch}")
    if trained.last is not None:
        setup.run.save_checkpoint(attempt.proposal.number, trained.last)
    # What is no number has no value: R2, for one, where all targets are equal.
    metrics = {name: value for name, value in metrics.items() if np.isfinite(value)}
    history = {
        name: [value if np.isfinite(value) else None for value in values] for name, values in trained.history.items()
    }
    record = Execution(*place, seed, score, trained.best_epoch, trained.seconds, metrics)
    store.add_execution(attempt.proposal.number, record, history)
    attempt.scores[place] = score
    attempt.cut |= trained.cut


def _is_hyperband(setup):
    return isinstance(setup.study.search, Hyperband)


def _first_of_line(store, proposal):
    number, parent = proposal.number, proposal.parent
    while parent is not None:
        number, parent = parent, store.trial(parent).proposed.get("tuner/trial_id")
        parent = None if parent is None else int(parent)
    return number


def _reason(error):
    import tensorflow as tf

    kinds = {
        "diverged": Diverged,
        "parameters": TooManyParameters,
        "memory": (MemoryError, tf.errors.ResourceExhaustedError),
    }
    return next((reason for reason, kind in kinds.items() if isinstance(error, kind)), "error")


def _first_line(error):
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else 'no message'}"


def _forget_models():
    import keras

    keras.backend.clear_session()
    gc.collect()
