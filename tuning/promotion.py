"""What a promoted Hyperband trial goes on from: the state in which the training of its parent ended."""

from dataclasses import replace

from kerashw.errors import Damaged
from kerashw.population import train_together
from kerashw.run import keep_aside
from kerashw.training import train


def parent_of(store, number):
    """The trial that another one goes on from, or None.

    >>> from kerashw.store import Store
    >>> store = Store(":memory:")
    >>> store.begin_trial(0, {"units": 4})
    >>> store.begin_trial(1, {"units": 4, "tuner/trial_id": "0000"})
    >>> parent_of(store, 1), parent_of(store, 0), first_of_line(store, 1)
    (0, None, 0)
    """
    parent = store.trial(number).proposed.get("tuner/trial_id")
    return None if parent is None else int(parent)


def first_of_line(store, number):
    """The trial that the line of promotions began with."""
    while (parent := parent_of(store, number)) is not None:
        number = parent
    return number


def state_after(setup, store, number, execution, member, together):
    """The arrays an execution of a trial ended with; where their file is damaged it is trained again.

    `member` is the execution of a trial that goes on from it.
    """
    try:
        return setup.run.load_checkpoint(number, execution, together)
    except Damaged as error:
        path = setup.run.checkpoint_of(number, execution, together)
        fault = str(error).partition("; ")[0]
        found = f"kept as {keep_aside(path).name}, " if path.exists() else ""
        setup.progress.say(f"{fault}: {found}trial {number} is trained again.")
    proposed = store.trial(number).proposed
    own = replace(
        member, epochs=proposed["tuner/epochs"], initial_epoch=proposed["tuner/initial_epoch"], bars=(), start=None
    )  # fmt: skip
    if (parent := parent_of(store, number)) is not None:
        own = replace(own, start=state_after(setup, store, parent, execution, own, together))
    how = dict(objective=setup.objective, score_epoch=setup.study.score_epoch, keep_last=True)
    if together:
        (trained,) = train_together(setup.study.model, [own], setup.task, keep_models=False, **how)
    else:
        trained = train(setup.study.model, own.settings, setup.task, reuse=True, **how, **{
            name: getattr(own, name) for name in
            ("train_indices", "validation_indices", "seed", "epochs", "start", "initial_epoch")
        })  # fmt: skip
    setup.run.save_checkpoint(number, trained.last, execution, together)
    return trained.last
