"""One trial: a proposal trained on every fold as often as the study asks, and what to record of it."""

import gc
import math
import time
import traceback
from dataclasses import dataclass

import numpy as np

from kerashw.errors import KerashwError
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

    def parameter_count(self, settings):
        """The number of weights of the model that the settings describe."""
        return self.hypermodel.uncompiled(settings).count_params()


class TooManyParameters(ValueError):
    """A model lies outside the study's budget of parameters."""


def run_trial(setup, store, proposal, *, deadline=math.inf, whole=True):
    """The fields of the ended trial, or None where the deadline cut it short and `whole` says not to count that."""
    began = time.monotonic()
    parameters = None
    try:
        settings = setup.settings_of(proposal.proposed)
        parameters = setup.parameter_count(settings)
        check_parameters(setup.study, parameters)
        setup.progress.trial_began(proposal)
        scores = _execute_all(setup, store, proposal, settings, deadline, whole)
    except KerashwError:
        raise
    except Exception as error:  # whatever a builder, Keras or TensorFlow raises fails this trial, not the search
        store.add_event("failure", f"trial {proposal.number}\n{traceback.format_exc()}")
        ended = dict(status="failed", reason=_reason(error), message=_first_line(error))
    else:
        if scores is None:
            return None
        ended = dict(status="completed", score=float(np.mean(scores)), deviation=float(np.std(scores)))
    finally:
        _forget_models()
    return dict(ended, parameters=parameters, seconds=time.monotonic() - began)


def check_parameters(study, count):
    """Nothing, where the study allows so many parameters."""
    if study.parameters is not None and not study.parameters[0] <= count <= study.parameters[1]:
        raise TooManyParameters(
            f"{count:,} parameters, allowed are {study.parameters[0]:,} to {study.parameters[1]:,}"
        )


def _execute_all(setup, store, proposal, settings, deadline, whole):
    """The score of every fold and execution; those that an interrupted process had finished are not repeated."""
    finished = {(done.fold, done.execution): done.score for done in store.executions(proposal.number)}
    for fold, (train_indices, validation_indices) in enumerate(setup.splits):
        for execution in range(setup.study.executions):
            if (fold, execution) in finished:
                continue
            # A promoted Hyperband trial goes on with the chance of the trial it comes from.
            seed = derive(setup.seed, "trial", _first_of_line(store, proposal), fold, execution)
            trained = train(
                setup.study.model,
                settings,
                setup.task,
                train_indices=train_indices,
                validation_indices=validation_indices,
                seed=seed,
                epochs=proposal.epochs,
                objective=setup.objective,
                score_epoch=setup.study.score_epoch,
                callbacks=[setup.progress.callback()],
                deadline=deadline,
                **_continuation(setup, proposal),
            )
            if trained.cut and whole:
                return None
            metrics = trained.at_best()
            score = metrics[setup.objective]
            if not np.isfinite(score):
                raise Diverged(f"{setup.objective} was {score} at epoch {trained.best_epoch}")
            if trained.last is not None:
                setup.run.save_checkpoint(proposal.number, trained.last)
            record = Execution(fold, execution, seed, score, trained.best_epoch, trained.seconds, metrics)
            store.add_execution(proposal.number, record, trained.history)
            finished[fold, execution] = score
    return [finished[key] for key in sorted(finished)]


def _continuation(setup, proposal):
    """How `train` goes on from the trial that a Hyperband proposal promotes, optimizer and all."""
    if not isinstance(setup.study.search, Hyperband):
        return {}
    start = None if proposal.parent is None else setup.run.load_checkpoint(proposal.parent)
    return dict(keep_last=True, start=start, initial_epoch=proposal.initial_epoch)


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
