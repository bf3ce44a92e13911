"""What the six callbacks that draw pictures add to a training of `mnist`, at the moments they draw by default."""

import statistics
import tempfile
import time

from benchmarks.problem import Problem
from benchmarks.processes import as_kerashw, process
from benchmarks.rows import Row, Target

BATCH = 128


def measure(asked):
    """The share of the time of the published number of epochs, from one epoch with and without them, in turns."""
    items, repeats = asked.of(smoke=300, quick=10_000, full=60_000), asked.of(smoke=1, quick=3, full=7)
    with process(as_kerashw) as answer:
        bare, shown, whole, epochs = answer("exports:trainings", asked.data_dir, items, repeats)
    added = statistics.median(shown) - statistics.median(bare)
    epoch = statistics.median(bare) * whole / items
    yield Row(
        what=f"six callbacks, in {epochs} epochs of mnist", unit="%", ours=100 * added / (epochs * epoch),
        target=Target("ours", "<=", 5),
        note=f"{added:.2g} s for the pictures before and after, {epoch:.3g} s for an epoch of {whole:,} images; "
             f"medians of {repeats} epochs of {items:,} images each, in turns",
    )  # fmt: skip


def trainings(data_dir, items, repeats):
    """Seconds of epochs without callbacks and with them, the items of a whole epoch, and the epochs of a training."""
    import keras

    from kerashw.callbacks import (
        ExportActivations,
        ExportConfusion,
        ExportFeatureMaps,
        ExportFilters,
        ExportPredictions,
        ExportWeights,
    )

    problem = Problem("mnist", data_dir)
    data, study = problem.dataset(), problem.study
    settings = study.filled(dict.fromkeys(study.searched))
    names = ("filters", "kernel_size", "pool", "hidden", "augment")
    keras.utils.set_random_seed(0)
    model = study.model(input_shape=data.item_shape, outputs=len(data.classes), **{name: settings[name] for name in names})
    model.compile(
        keras.optimizers.SGD(1e-3, momentum=0.9), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )  # fmt: skip

    def seconds(callbacks):
        began = time.perf_counter()
        model.fit(data.x_train[:items], data.y_train[:items], batch_size=BATCH, verbose=0, callbacks=callbacks)
        return time.perf_counter() - began

    seconds([])  # traces
    bare, shown = [], []
    for _ in range(repeats):
        bare.append(seconds([]))
        with tempfile.TemporaryDirectory() as folder:
            shown.append(seconds([
                ExportWeights(folder), ExportFilters(folder), ExportActivations(folder, data.x_test[:1]),
                ExportFeatureMaps(folder, data.x_test[:1]), ExportPredictions(folder, data.x_test, data.y_test),
                ExportConfusion(folder, data.x_test, data.y_test),
            ]))  # fmt: skip
    return bare, shown, len(data.x_train), settings["epochs"]
