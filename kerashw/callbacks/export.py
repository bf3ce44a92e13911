"""What all callbacks of this package share: when they look, and how what they see becomes files and events."""

import re
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kerashw.callbacks import moments
from kerashw.drawing import draw
from kerashw.errors import UsageError


class Export(keras.callbacks.Callback):
    """A Keras callback that looks at the model at some moments, draws what it sees, and tells TensorBoard of it.

    A kind of export says what it looks at (`look`), which sheets are drawn of that (`sheets`), and what TensorBoard
    gets of it (`images`, `histograms`). It keeps no files open while no training runs, so it can be deep-copied, as
    KerasTuner does, and used for any number of trainings.
    """

    kind = None  # the first part of the names of files and tags, and the name of the run in TensorBoard

    def __init__(self, folder=None, *, tensorboard=None, at=("start", "end"), every=None, monitor=None, mode="auto",
                 footer=None):  # fmt: skip
        super().__init__()
        if folder is None and tensorboard is None:
            raise UsageError(f"{type(self).__name__} is given no place to write to: name a folder for pictures, or "
                             "tensorboard=FOLDER.")  # fmt: skip
        self.folder = _folder("folder", folder)
        self.tensorboard = _folder("tensorboard", tensorboard)
        self.cadence = moments.Cadence(at, every, monitor, mode)
        self.footer = footer
        self._forget()

    # What a kind of export says.

    def finds(self, model):
        """Whether there is anything of the kind in this model."""
        raise NotImplementedError

    def check(self, model):
        """A UsageError where the model does not fit what the callback was given."""

    def look(self, model):
        """What is to be seen in the model now, as arrays that later training does not change."""
        raise NotImplementedError

    def sheets(self, seen, moment):
        """(name, figure function, its numbers) of every sheet to be drawn."""
        raise NotImplementedError

    def images(self, seen, moment):
        """{tag: uint8 array (n, height, width, 3)} for TensorBoard."""
        raise NotImplementedError

    def histograms(self, seen):
        """{tag: array} for TensorBoard; a tag that an image has would show only one of the two."""
        return {}

    # When it is done.

    def on_train_begin(self, logs=None):
        self.close()  # what a training that failed has left
        self._forget()
        self.check(self.model)

    def on_epoch_begin(self, epoch, logs=None):
        if self._epochs is None:  # the first tells where a continued training stands
            self._epochs = epoch
            self.begin(self.model)
            if "start" in self.cadence.at:
                self._show(moments.before(epoch))

    def begin(self, model):
        """Called before the first epoch, for what is compared with later."""

    def on_epoch_end(self, epoch, logs=None):
        self._epochs = epoch + 1
        if self.cadence.falls_on(self._epochs):
            self._show(moments.after(self._epochs))
        if "best" in self.cadence.at:
            metric = self.cadence.metric(logs or {})
            value = float(logs[metric])
            if self.cadence.improves(metric, value, self._record):
                self._record = value
                self._best = moments.best(self._epochs, metric, value), self.look(self.model)

    def on_train_end(self, logs=None):
        if "end" in self.cadence.at and self._epochs is not None:
            self._show(moments.end(self._epochs))
        if self._best is not None:  # drawn once, however often there was a new best
            self._write(*self._best)
        self.close()
        self._forget()

    def write_events(self, model, epochs):
        """What TensorBoard gets of a model that was trained for so many epochs by other means than `fit`."""
        self._tell_tensorboard(moments.after(epochs), self.look(model))

    def close(self):
        """The file of events is closed; the next look opens another."""
        if self._writer is not None:
            self._writer.close()
        self._writer = self._told = None

    def _forget(self):
        self._epochs = self._record = self._best = self._writer = self._told = None

    def __getstate__(self):
        passing = ("_model", "_epochs", "_record", "_best", "_writer", "_told")
        return {**self.__dict__, **dict.fromkeys(passing)}

    def _show(self, moment):
        self._write(moment, self.look(self.model))

    def _write(self, moment, seen):
        if self.folder is not None:
            for name, figure_function, numbers in self.sheets(seen, moment):
                draw(self.folder, f"{name}.{moment.name}", figure_function, footer=self.footer, **numbers)
        if self.tensorboard is not None:
            self._tell_tensorboard(moment, seen)

    def _tell_tensorboard(self, moment, seen):
        is_best = moment.name == "best"
        if not is_best and self._told == moment.epoch:
            return  # the end, after an epoch that was shown
        if self._writer is None:
            # A folder of its own for each kind: TensorBoard reads but one file of a folder at a time.
            self._writer = tf.summary.create_file_writer(str(self.tensorboard / self.kind))
        # The best has tags of its own, as it is written after later epochs. Keras's own callback may be pausing
        # summaries between its batches.
        prefix = "best/" if is_best else ""
        with self._writer.as_default(step=moment.epoch), tf.summary.record_if(True):
            for tag, pictures in self.images(seen, moment).items():
                tf.summary.image(prefix + tag, pictures, max_outputs=len(pictures))
            for tag, values in self.histograms(seen).items():
                finite = values[np.isfinite(values)]
                if finite.size:
                    tf.summary.histogram(prefix + tag, finite)
        self._writer.flush()
        if not is_best:
            self._told = moment.epoch


def file_names(layers):
    """{layer: its part of a name of a file}, distinct: "outer/inner" becomes "outer.inner".

    >>> file_names(["block/conv 1", "block.conv_1"])
    {'block/conv 1': 'block.conv_1', 'block.conv_1': 'block.conv_1_2'}
    """
    names = {}
    for layer in layers:
        parts = [re.sub(r"[^\w-]+", "_", part) or "_" for part in re.split("[/.]", layer)]
        name = stem = ".".join(parts)
        number = 1
        while name in names.values():
            number += 1
            name = f"{stem}_{number}"
        names[layer] = name
    return names


def pages(name, layers, most):
    """[(name of the sheet, its layers), ...], so many layers on each; sheets are numbered where there are several."""
    layers = list(layers)
    parts = [layers[start : start + most] for start in range(0, len(layers), most)] or [[]]
    return [(name if len(parts) == 1 else f"{name}.{number}", part) for number, part in enumerate(parts, 1)]


def chosen(arrays, names):
    """Those arrays of {layer: array} that are named; all, where no names are given."""
    return arrays if names is None else {name: arrays[name] for name in names}


def names_of(layers):
    """The names of layers as a tuple; None stays, for all of them."""
    if layers is None:
        return None
    layers = (layers,) if isinstance(layers, str) else tuple(layers)
    if not layers:
        raise UsageError("layers is empty: name some, or leave it out for all.")
    return layers


def _folder(name, given):
    if given is None:
        return None
    if not isinstance(given, (str, Path)):
        raise UsageError(f"{name} must be the path of a folder, got {type(given).__name__}.")
    if Path(given).exists() and not Path(given).is_dir():
        raise UsageError(f"{name}: {given} is a file, so nothing can be written into it; name a folder.")
    return Path(given)
