"""Images per second of one training of `mnist` and of `fashion`, against Keras's `fit` as a person would write it.

Both sides train the same net with the same optimizer on as many items, and validate after every epoch; the time of
the validation counts on both sides. The first two epochs, which trace and warm up, do not count. Two trainings, one
of them with batch normalisation, are timed in bfloat16 as well, against the same in float32.
"""

import statistics
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.problem import EpochClock, Problem
from benchmarks.processes import as_anyone, as_kerashw, process
from benchmarks.rows import Row, Target

FIXED = {
    "mnist": dict(optimizer="sgd", learning_rate=1e-3, momentum=0.9, weight_decay=1e-4),
    "fashion": dict(optimizer="adam", learning_rate=1e-3, l2=1e-5),
    "mnist_best": dict(optimizer="adamw", learning_rate=1e-3, dropout=0.3),
}


@dataclass(frozen=True)
class Case:
    """One training to time: the study, whether its images are augmented, and its sizes."""

    task: str
    augmented: bool
    batch_size: int
    items: int
    held: int
    epochs: int
    data_dir: str | None
    dtype_policy: str | None = None

    @property
    def problem(self):
        """The study with its data."""
        return Problem(self.task, self.data_dir)

    def settings(self):
        """All settings as constants."""
        fixed = dict(
            FIXED[self.task], batch_size=self.batch_size, epochs=self.epochs, dtype_policy=self.dtype_policy
        )  # fmt: skip
        if not self.augmented:
            fixed["augment"] = None
        return self.problem.study.but(**fixed).filled({})


def measure(asked):
    """Batches of 128 of both studies, with augmentation, and batches of 4; and what bfloat16 does, of two nets."""
    wanted = [("mnist", False, 128, 1.15), ("fashion", False, 128, 1.15), ("mnist", True, 128, 1.3),
              ("mnist", False, 4, 1.5)]  # fmt: skip
    if asked.size == "full":
        wanted.append(("fashion", False, 4, 1.5))
    with process(as_kerashw) as ours, process(as_anyone) as theirs:
        for task, augmented, batch_size, least in wanted:
            case = _case(asked, task, augmented, batch_size)
            mine, other = [], []
            for _ in range(asked.of(smoke=1, quick=2, full=5)):
                seconds, items, held, stand_in = ours("images:epoch_seconds", case)
                mine += seconds
                other += theirs("images:plain_epoch_seconds", case)
            yield Row(
                what=f"{task}{', augmented' if augmented else ''}, batch {batch_size}",
                ours=items / statistics.median(mine), peer=items / statistics.median(other), unit="images/s",
                peer_name="Keras fit" + (" with 3 layers" if augmented else ""), more_is_better=True,
                target=Target("ratio", ">=", least),
                note=_note(items, held, stand_in),
            )  # fmt: skip
        for task in ("fashion", "mnist_best"):
            seconds = {"float32": [], "mixed_bfloat16": []}
            for policy in (*seconds,) * asked.of(smoke=1, quick=2, full=5):
                case = replace(_case(asked, task, augmented=False, batch_size=128), dtype_policy=policy)
                some, items, held, stand_in = ours("images:epoch_seconds", case)
                seconds[policy] += some
            full, mixed = (items / statistics.median(some) for some in seconds.values())
            yield Row(
                what=f"{task} in mixed_bfloat16, batch 128", ours=mixed, peer=full, unit="images/s",
                peer_name="kerashw in float32", more_is_better=True, note=_note(items, held, stand_in),
            )  # fmt: skip


def _case(asked, task, augmented, batch_size):
    items = asked.of(smoke=300, quick=9_600, full=48_000) // (4 if batch_size < 128 else 1)
    return Case(task, augmented, batch_size, items, held=items // 4, epochs=asked.of(smoke=3, quick=3, full=8),
                data_dir=asked.data_dir)  # fmt: skip


def _note(items, held, stand_in):
    return f"{items:,} images an epoch, {held:,} to validate" + (", of a STAND-IN for the data" if stand_in else "")


def _sizes(case, task):
    """(items to train on, items to validate on): what is asked, or in these proportions what there is."""
    share = min(1.0, len(task.x) / (case.items + case.held))
    return int(case.items * share), int(case.held * share)


def epoch_seconds(case):
    """(seconds of the later epochs by `kerashw.training.train`, images, images validated, whether a stand-in)."""
    from kerashw.training import Task, train

    dataset = case.problem.dataset()
    task = Task.of(dataset)
    items, held = _sizes(case, task)
    clock = EpochClock()
    train(
        case.problem.study.model, case.settings(), task, train_indices=np.arange(items, dtype="int32"),
        validation_indices=np.arange(items, items + held, dtype="int32"), seed=0, callbacks=[clock.callback()],
    )  # fmt: skip
    return clock.later(), items, held, dataset.stand_in


def plain_epoch_seconds(case):
    """Seconds of the later epochs by `fit` on float32 arrays."""
    import keras

    from kerashw.building import make_optimizer

    task = case.problem.task()
    items, held = _sizes(case, task)
    x = task.x[: items + held].astype("float32")[..., np.newaxis] / 255
    y = task.y[: items + held]
    model = plain_model(case.task, case.augmented)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(make_optimizer(case.settings(), 1), loss=loss, metrics=["accuracy"])
    clock = EpochClock()
    model.fit(
        x[:items], y[:items], batch_size=case.batch_size, epochs=case.epochs, validation_data=(x[items:], y[items:]),
        callbacks=[clock.callback()], verbose=0,
    )  # fmt: skip
    keras.backend.clear_session()
    return clock.later()


def plain_model(task, augmented=False):
    """The net of a study in plain Keras, for pixels from 0 to 1, with Keras's own augmentation in front if asked.

    >>> plain_model("mnist").count_params()
    58250
    """
    import keras
    from keras import layers

    varied = [layers.RandomRotation(20 / 360), layers.RandomZoom(0.1), layers.RandomTranslation(0.05, 0.05)]
    front = [keras.Input((28, 28, 1)), *(varied if augmented else [])]
    if task == "mnist":
        return keras.Sequential([
            *front,
            layers.Conv2D(10, 5, activation="relu"), layers.AveragePooling2D(2),
            layers.Conv2D(20, 5, activation="relu"), layers.AveragePooling2D(2),
            layers.Flatten(), layers.Dense(160, activation="relu"), layers.Dense(10),
        ])  # fmt: skip
    l2 = keras.regularizers.L2(FIXED["fashion"]["l2"])
    return keras.Sequential([
        *front,
        layers.Conv2D(32, 5, activation="relu", kernel_regularizer=l2), layers.MaxPooling2D(2),
        layers.Conv2D(64, 5, activation="relu", kernel_regularizer=l2), layers.Flatten(),
        layers.Dense(128, activation="relu", kernel_regularizer=l2), layers.Dropout(0.3),
        layers.Dense(10, kernel_regularizer=l2),
    ])  # fmt: skip
