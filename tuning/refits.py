"""The winner trained anew, with a seed for each refit: in one shared loop, side by side by workers, or in turn."""

import time
from dataclasses import replace

import numpy as np

from kerashw import tensorboard
from kerashw.errors import WorkError
from kerashw.job import Job, work
from kerashw.population import Member, train_together
from kerashw.reuse import adapt, draw_weights, with_weights
from kerashw.seeds import derive
from kerashw.training import Diverged, train
from tuning.standing import refit_epochs

AGAIN = 2  # times that a refit is trained again whose worker died


def refit_items(setup):
    """The items to train on and to validate on: all and none, or those of the first split."""
    if setup.study.refit == "all":
        return np.arange(len(setup.task.x), dtype="int32"), None
    return setup.splits[0]


def train_refits(setup, best, numbers, deadline, attempt=0):
    """(number, its Trained model, or Diverged) of each of these refits of a trial, as it ends.

    Number 0 is the one whose history a run keeps: it is trained however late it is, and with other weights in another
    `attempt`. Of the others those that have not ended at the deadline are left out.
    """
    settings = setup.settings_of(best.proposed)
    seeds = {number: _seed(setup, number, attempt) for number in numbers}
    model = setup.model_of(settings)
    setup.progress.refit_began(refit_epochs(setup, best) * len(seeds))
    if setup.trains_together(model):
        trainings = _in_one_loop(setup, best, settings, seeds, deadline)
    elif setup.crew.is_one or len(seeds) == 1:
        yield from _in_turn(setup, best, settings, seeds, deadline)
        return
    else:
        trainings = _side_by_side(setup, best, settings, seeds, deadline)
    for number, trained in trainings:
        if number == 0 and not isinstance(trained, Diverged):
            began = adapt(draw_weights(model, seeds[0]), setup.task.x[refit_items(setup)[0]])
            looks = {0: began, trained.best_epoch: trained.model}
            tensorboard.write_history(setup.run.tensorboard, trained.history, looks, setup.task.x)
        yield number, trained


def _seed(setup, number, attempt):
    return derive(setup.seed, "refit again", number - 1) if number else derive(setup.seed, "refit", attempt)


def _in_one_loop(setup, best, settings, seeds, deadline):
    study, (train_indices, validation_indices) = setup.study, refit_items(setup)
    common = dict(train_indices=train_indices, validation_indices=validation_indices,
                  epochs=refit_epochs(setup, best), average=study.refit_average)  # fmt: skip
    members = [Member(settings, **common, seed=seed) for seed in seeds.values()]
    made = train_together(study.model, members, setup.task, objective=setup.objective, score_epoch=study.score_epoch,
                          deadline=deadline, report=setup.progress.epochs)  # fmt: skip
    yield from _in_time(zip(seeds, made))


def _in_turn(setup, best, settings, seeds, deadline):
    study, (train_indices, validation_indices) = setup.study, refit_items(setup)
    epochs = refit_epochs(setup, best)
    for number, seed in seeds.items():
        if number and time.monotonic() > deadline:
            return
        callbacks = [setup.progress.callback()]
        if number == 0:
            kept_by = setup.objective if study.refit == "stop" and study.score_epoch == "best" else None
            model, task = setup.model_of(settings), setup.task
            callbacks += tensorboard.refit_callbacks(setup.run.tensorboard, model, task.x, epochs, kept_by)
        try:
            trained = train(
                study.model, settings, setup.task, train_indices=train_indices, validation_indices=validation_indices,
                epochs=epochs, average=study.refit_average, seed=seed, objective=setup.objective,
                score_epoch=study.score_epoch, deadline=deadline, callbacks=callbacks,
            )  # fmt: skip
        except Diverged as error:
            trained = error
        yield from _in_time([(number, trained)])


def _side_by_side(setup, best, settings, seeds, deadline):
    common = replace(setup.common, splits=[refit_items(setup)], keep_last=False, wants_latency=False)
    epochs, waiting, deaths = refit_epochs(setup, best), list(seeds), dict.fromkeys(seeds, 0)
    crew = setup.crew
    if crew.ray is None:  # no more than there are refits, so that these share all processors
        crew = replace(crew, workers=min(crew.workers, len(seeds)))
    with crew.hired(common, setup.run.folder, work) as workers:
        at_it = 0
        while waiting or at_it:
            while waiting and workers.free() > 0:
                number = waiting.pop(0)
                if number and time.monotonic() > deadline:
                    continue
                job = Job(settings, fold=0, seed=seeds[number], epochs=epochs, seconds=deadline - time.monotonic(),
                          average=setup.study.refit_average, keep_weights=True)  # fmt: skip
                workers.submit(number, job)
                at_it += 1
            if not at_it:
                return
            if (heard := workers.next()) is None:  # there is room for more
                continue
            number, outcome = heard
            at_it -= 1
            if outcome is None:
                deaths[number] += 1
                if deaths[number] > AGAIN:
                    raise WorkError(f"refit {number + 1} of trial {best.number} ended its worker {AGAIN + 1} times; "
                                    "repeat the command, with fewer --workers where memory is short.")  # fmt: skip
                waiting.insert(0, number)
                continue
            setup.progress.epochs(epochs)
            yield from _in_time([(number, _of_worker(setup, best, settings, outcome))])


def _of_worker(setup, best, settings, outcome):
    """The Trained model, or the Diverged, that a worker tells of; WorkError where it failed otherwise."""
    if outcome.failure is None:
        return replace(outcome.trained, model=with_weights(setup.model_of(settings), outcome.trained.model))
    if outcome.failure.reason == "diverged":
        return Diverged(outcome.failure.message.removeprefix("Diverged: "))
    raise WorkError(f"the refit of trial {best.number} failed: {outcome.failure.message}; mend it and repeat the command.")


def _in_time(trainings):
    """Those of the trainings that count: a cut one is not what the others are, but number 0 is taken as it is."""
    for number, trained in trainings:
        if isinstance(trained, Diverged) or number == 0 or (trained is not None and not trained.cut):
            yield number, trained
