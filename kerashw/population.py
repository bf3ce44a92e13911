"""Many small trainings at once: members of one structure share one compiled loop, each with its own data and rates.

The weights of all members are stacked; a layer of all members is one batched product. The order of items, the
starting weights and the update rules are those of `kerashw.training.train`, so a member ends where the same model
trained alone by Keras ends, apart from the rounding of sums.

A loop is compiled for one structure, number of members and width of batches, which takes about a second: so these
come in few sizes, the rest of a loop being filled up with members that do nothing. Loops run in as many threads as
there are processors.
"""

import collections
import contextlib
import time
from dataclasses import replace

import keras

from kerashw.building import build_model
from kerashw.group import Group, Member, assign
from kerashw.job import Failure
from kerashw.loop import structure_of
from kerashw.machine import processors
from kerashw.settings import TRAINING, builder_keywords
from kerashw.threads import How, Threads
from kerashw.training import Trained

__all__ = ["Member", "models_of", "most_in_loop", "suits", "train_in_groups", "train_together"]

SMALL = 1e8  # items times parameters: above it the arithmetic outweighs what `fit` costs per epoch
SIZES = (1, 4, 16, 64)  # members in one loop
CACHED = 2**16  # weights in one loop: with their slots and gradients more would leave the caches of a processor
COMPILING = 0.9  # seconds, of one loop
WIDTHS = (16, 24, *(base << power for power in range(1, 20) for base in (16, 24)))  # rows of a batch
LAYERS_WITHOUT_WEIGHTS = (
    keras.layers.InputLayer, keras.layers.Rescaling, keras.layers.Flatten, keras.layers.Reshape,
    keras.layers.Activation,
)  # fmt: skip


def suits(model, items):
    """Whether a model is a chain of dense layers, small enough for so many items that `fit` would mostly wait."""
    if items * model.count_params() > SMALL or not isinstance(model, keras.Model):
        return False
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        return False
    previous = None
    for layer in model.layers:
        if type(layer) not in (keras.layers.Dense, keras.layers.Dropout, *LAYERS_WITHOUT_WEIGHTS):
            return False
        if not layer.trainable:
            return False
        if previous is not None and layer.input is not previous.output:
            return False
        previous = layer
    return previous.output is model.outputs[0]


def train_together(builder, members, task, **how):
    """A Trained model for each member, in their order; for one that diverged, the Diverged it would have raised. None for
    one whose group had not begun at the deadline.

    Takes what `train_in_groups` takes. The models must suit.
    """
    results = [None] * len(members)
    for places, trained in train_in_groups(builder, members, task, **how):
        if isinstance(trained, Exception):
            raise trained
        for place, one in zip(places, trained):
            results[place] = one
    return results


def train_in_groups(
    builder, members, task, *, wanted=None, objective=None, score_epoch="best", spread=None, **how
):  # fmt: skip
    """(places of some members, their results) for each group as it ends; an exception for a group that failed.

    A group with none of the places `wanted` is left out: groups are the same whichever are wanted, and with them the
    rounding of the results. Groups that have not begun at the deadline are left out as well, but for the first. A
    `kerashw.spread.Spread` may give groups to workers. The rest are the fields of `kerashw.threads.How`.
    """
    how = How(**how)
    try:
        models = models_of(builder, members, task)
    except Exception as error:  # whatever a builder raises
        yield range(len(members)), error
        return
    score = dict(objective=objective or task.objective, score_epoch=score_epoch)
    groups = [group for group in _groups(members, models, task, score)
              if wanted is None or not wanted.isdisjoint(group.places)]  # fmt: skip
    threads = Threads(how, share=max(1, min(processors(), len(groups))))
    hands = threads if spread is None else spread.over(threads, len(groups))
    waiting, at_it, ended = collections.deque(groups), 0, 0
    with contextlib.closing(hands):
        while waiting or at_it:
            while waiting and hands.free() > 0:
                if (at_it or ended) and time.monotonic() > how.deadline:
                    waiting.clear()
                    break
                hands.submit(waiting.popleft())
                at_it += 1
            if not at_it:
                return
            group, results = hands.next()
            at_it, ended = at_it - 1, ended + 1
            if not isinstance(results, (Exception, Failure)):
                results = [_with_model(builder, member, task, trained)
                           for member, trained in zip(group.members, results)]  # fmt: skip
            yield group.places, results


def models_of(builder, members, task):
    """A model for each member, one and the same for all that differ in training alone."""
    shared = {}

    def model_of(settings):
        key = repr([settings.get(name) for name in builder_keywords(builder)])
        if key not in shared:
            shared[key] = _build(builder, settings, task)
        return shared[key]

    return [model_of({**TRAINING, **member.settings}) for member in members]


def _groups(members, built, task, how):
    """Members of one structure, optimizer and width of batches, in groups of the sizes that are compiled."""
    kinds = {}
    for place, (member, model) in enumerate(zip(members, built)):
        settings = {**TRAINING, **member.settings}
        batch_size = min(settings["batch_size"], len(member.train_indices))
        wide = next(width for width in WIDTHS if width >= batch_size)
        alike = (wide, settings["optimizer"], member.initial_epoch, member.validation_indices is None)
        kinds.setdefault((structure_of(model), *alike), []).append(place)
    steps = {
        -(-len(member.train_indices) // {**TRAINING, **member.settings}["batch_size"]) for member in members
    }
    longest = max(len(member.train_indices) for member in members)
    most_held = max(0 if member.validation_indices is None else len(member.validation_indices) for member in members)
    for (_, wide, optimizer, *_), places in kinds.items():
        first = members[places[0]]
        epochs = first.epochs or {**TRAINING, **first.settings}["epochs"]
        each = epochs * _seconds(built[places[0]].count_params(), len(first.train_indices), wide)
        for size, some in _sized(places, each, most_in_loop(built[places[0]])):
            yield Group(
                some, [members[place] for place in some], [built[place] for place in some], task, size=size,
                optimizer=optimizer, wide=wide, in_step=size == 1 or len(steps) == 1, longest=longest,
                most_held=most_held, **how,
            )  # fmt: skip


def most_in_loop(model):
    """How many trainings of a model share one loop at most."""
    return max(size for size in SIZES if size == 1 or size * model.count_params() <= CACHED)


def _sized(places, each, most):
    """(size of the loop, places in it); a loop is filled up if that costs less than compiling a smaller one.

    `each` are the seconds that one member takes.

    >>> [(size, len(some)) for size, some in _sized(list(range(20)), each=0.01, most=64)]
    [(64, 20)]
    >>> [(size, len(some)) for size, some in _sized(list(range(20)), each=1.0, most=64)]
    [(16, 16), (4, 4)]
    """
    while places:
        size = next((size for size in SIZES if len(places) <= size <= most), most)
        while (size - len(places)) * each > COMPILING:
            size = SIZES[SIZES.index(size) - 1]
        yield size, places[:size]
        places = places[size:]


def _seconds(parameters, items, wide):
    """Roughly what an epoch of one member takes: its steps, their updates, and its products at 50 GFLOP/s."""
    steps = -(-items // wide)
    return steps * (3e-6 + 2e-9 * parameters) + 6 * items * parameters / 5e10


def _build(builder, settings, task):
    return build_model(builder, settings, input_shape=task.x.shape[1:], outputs=task.outputs)


def _with_model(builder, member, task, trained):
    """The result with a Keras model of its own in place of the arrays of its weights."""
    if not isinstance(trained, Trained) or trained.model is None:
        return trained
    model = _build(builder, {**TRAINING, **member.settings}, task)
    return replace(trained, model=assign(model, trained.model))
