"""The curves of the winner's models, one for each fold and execution: a search keeps their scores, but no model."""

import time

import numpy as np

from kerashw import interrupts
from kerashw.drawing import to_json
from kerashw.evaluation import predict
from kerashw.pictures import curve_places, is_curve
from kerashw.population import Member, train_together
from kerashw.reuse import with_weights
from kerashw.run import write_json
from kerashw.training import Trained, train


def keep_curves(setup, record, settings, deadline):
    """curves.json in the run's folder, where the data are points and the winner was trained several times.

    Each of its trainings is repeated with its own items and seed. None is kept where the deadline comes first, and
    none of an ensemble: its figure shows the curves of its networks.
    """
    best = record.winner
    if len(best.executions) < 2 or not is_curve(record) or time.monotonic() > deadline or record.winner_curves:
        return
    if len(record.networks) > 1:
        return
    x = curve_places(record)
    curves = [predict(model, x[:, None])[:, 0] for model in _models(setup, best, settings, deadline)]
    if len(curves) == len(best.executions) and np.isfinite(curves).all():
        kept = {"trial": best.number, "x": x.tolist(), "curves": [curve.tolist() for curve in curves]}
        write_json(setup.run.curves_file, to_json(kept))


def _models(setup, best, settings, deadline):
    """The models of the winner's executions, as far as the deadline allows."""
    study, task = setup.study, setup.task
    how = dict(objective=setup.objective, score_epoch=study.score_epoch, deadline=deadline)
    epochs = best.proposed.get("tuner/epochs")  # of Hyperband
    members = [Member(settings, *setup.splits[done.fold], seed=done.seed, epochs=epochs) for done in best.executions]
    model = setup.model_of(settings)
    if setup.trains_together(model):
        found = train_together(study.model, members, task, **how)
        yield from (one.model for one in found if isinstance(one, Trained) and not one.cut)
        return
    for member in members:
        interrupts.check()
        trained = train(
            study.model, settings, task, train_indices=member.train_indices,
            validation_indices=member.validation_indices, seed=member.seed, epochs=epochs, reuse=True, **how,
        )  # fmt: skip
        if trained.cut:
            return
        yield with_weights(model, trained.model)
