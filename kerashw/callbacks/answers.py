"""Callbacks that show how a model's answers get better: its predictions item by item, and what it confuses."""

import math
import tempfile

import numpy as np
from PIL import Image
from scipy.special import expit

from kerashw import diagnosis, evaluation, figures
from kerashw.callbacks.export import Export
from kerashw.callbacks.tiles import as_pictures
from kerashw.drawing import draw
from kerashw.errors import UsageError
from kerashw.probes.graph import (
    as_array,
    forward,
    in_batches,
    inputs_of,
    named_layers,
    output_names,
    tensors,
)
from kerashw.probes.linear import logits

BATCH, VALUES = 1024, 2**20  # items and values that go through a model at a time: large images in small batches
ITEMS_OF_A_SHEET = 40
POINTS_OF_A_CURVE = 200


class ExportConfusion(Export):
    """The confusion matrix over items x with their labels y, whole numbers or one-hot rows.

    `classes` names the classes; of a model with several outputs `output` names the layer that gives the one meant.

    >>> ExportConfusion("pictures", np.zeros((2, 3)), [0, 1], classes=("cat", "dog")).classes
    ('cat', 'dog')
    """

    kind = "confusion"

    def __init__(self, folder=None, x=None, y=None, *, classes=None, output=None, **when_and_where):
        super().__init__(folder, **when_and_where)
        if x is None or y is None:
            raise UsageError(f"{type(self).__name__} needs x and y: items as the model takes them, and the truth.")
        self.x, self.y, self.output = x, np.asarray(y), output
        self.classes = None if classes is None else tuple(map(str, classes))

    def finds(self, model):
        return True  # every model answers

    def check(self, model):
        arrays = inputs_of(model, self.x)
        names = output_names(model)
        if self.output is None and len(names) > 1:
            raise UsageError(f"{model.name} has several outputs: say output=... with one of {', '.join(names)}.")
        if self.output is not None and self.output not in names:
            raise UsageError(f"There is no output {self.output!r}, expected one of {', '.join(names)}.")
        if not self.y.ndim or len(self.y) != len(arrays[0]):
            raise UsageError(f"x holds {len(arrays[0]):,} items and y has shape {self.y.shape}, expected the truth of "
                             "each.")  # fmt: skip
        units = self._outputs(model, [array[:1] for array in arrays]).shape
        if len(units) != 2:
            raise UsageError(f"The output gives {units[1:]} per item, expected one row of numbers.")
        self.check_truth(units[1])

    def check_truth(self, units):
        """A UsageError where the truth does not fit an output of so many units."""
        labels_of(self.y, max(units, 2), self.classes)

    def look(self, model):
        chances = self._chances(model)
        labels = labels_of(self.y, chances.shape[1], self.classes)
        names = self.classes or tuple(map(str, range(chances.shape[1])))
        return diagnosis.confusion(labels, chances.argmax(axis=1), names)

    def sheets(self, seen, moment):
        yield "confusion", figures.confusion_matrix, dict(
            counts=seen.counts, classes=list(seen.classes), title=f"Confusion matrix {moment.words}"
        )

    def images(self, seen, moment):
        """The sheets themselves, as these pictures are nothing without their words."""
        with tempfile.TemporaryDirectory() as passing:
            images = {}
            for name, figure_function, numbers in self.sheets(seen, moment):
                if self.folder is not None:
                    path = self.folder / f"{name}.{moment.name}.png"
                else:
                    path = draw(passing, name, figure_function, footer=self.footer, **numbers)
                images[name] = np.asarray(Image.open(path).convert("RGB"))[None]
            return images

    def _outputs(self, model, arrays):
        """The output for each item, an array (n, units)."""
        place = 0 if self.output is None else output_names(model).index(self.output)
        most = min(BATCH, max(1, VALUES // max(math.prod(array.shape[1:]) for array in arrays)))
        batches = in_batches(arrays, most)
        found = np.concatenate([as_array(forward(model, tensors(model, batch))[0][place]) for batch in batches])
        return found[:, None] if found.ndim == 1 else found

    def _chances(self, model):
        """The probability of each class (n, classes), whether the model ends in a softmax, a sigmoid or in logits."""
        found = self._outputs(model, inputs_of(model, self.x)).astype(float)
        name = output_names(model)[0] if self.output is None else self.output
        ends_in_chances = name in logits(model)
        if found.shape[1] == 1:
            chance = found if ends_in_chances else expit(found)
            return np.hstack([1 - chance, chance])
        sums_to_one = (found >= 0).all() and np.allclose(found.sum(axis=1), 1, atol=1e-2)  # atol: half precision
        if ends_in_chances or sums_to_one:
            return found
        with np.errstate(invalid="ignore"):  # of a model that diverged nothing is known
            return evaluation.probabilities(found)


class ExportPredictions(ExportConfusion):
    """What the model answers to items x, beside the truth y: a sheet of the first 40 items, the wrong ones marked.

    For values in place of labels it is the residuals, or, where items are single numbers, the curve over the points
    with the one from which the training began. Arguments are those of `ExportConfusion`; labels are told from values
    by `classes`, or else by an output of several units and a `y` of whole numbers or one-hot rows.

    >>> ExportPredictions("pictures", np.zeros((2, 1)), [0.5, 1.5], at="end").kind
    'predictions'
    """

    kind = "predictions"

    def check_truth(self, units):
        self._has_labels = self.classes is not None or units > 1 and (self.y.dtype.kind in "biu" or is_one_hot(self.y))
        if self._has_labels:
            super().check_truth(units)
        elif self.y.reshape(len(self.y), -1).shape[1] != units:
            raise UsageError(f"y has shape {self.y.shape}, expected {units} values for each item, as the output has.")

    def begin(self, model):
        arrays = inputs_of(model, self.x)
        self._grid = self._first = None
        if not self._has_labels and len(arrays) == 1 and arrays[0][0].size == 1 and self.y.size == len(self.y):
            low, high = float(arrays[0].min()), float(arrays[0].max())
            self._grid = np.linspace(low, high, POINTS_OF_A_CURVE).reshape(-1, *arrays[0].shape[1:])
            self._first = self._outputs(model, [self._grid]).ravel()

    def look(self, model):
        if self._has_labels:
            return self._chances(model)
        arrays = inputs_of(model, self.x)
        return self._outputs(model, arrays if self._grid is None else [self._grid])

    def sheets(self, seen, moment):
        if self._has_labels:
            yield "predictions", figures.predictions, self._labelled(seen, moment)
        elif self._grid is None:
            yield "predictions", figures.residuals, dict(
                predicted=seen.ravel(), actual=self.y.ravel(), title=f"Residuals {moment.words}"
            )
        else:
            points = {"items": {"x": inputs_of(self.model, self.x)[0].ravel(), "y": self.y.ravel()}}
            curves = {} if moment.name == "start" else {"when training began": self._first}
            yield "predictions", figures.fit, dict(
                points=points, x=self._grid.ravel(), curves={**curves, moment.words: seen.ravel()},
                title=f"The fit {moment.words}",
            )  # fmt: skip

    def _labelled(self, chances, moment):
        labels = labels_of(self.y, chances.shape[1], self.classes)[:ITEMS_OF_A_SHEET]
        chances = chances[: len(labels)]
        names = np.array(self.classes or list(map(str, range(chances.shape[1]))))
        arrays = [array[: len(labels)] for array in inputs_of(self.model, self.x)]
        return dict(
            images=as_pictures(named_layers(self.model).values(), arrays),
            predicted=names[chances.argmax(axis=1)].tolist(), actual=names[labels].tolist(),
            confidence=chances.max(axis=1), title=f"Predictions {moment.words}",
        )  # fmt: skip

    def __getstate__(self):
        return {**super().__getstate__(), "_grid": None, "_first": None}


def labels_of(y, count, classes=None):
    """The truth as whole numbers (n,), checked against so many classes and their names.

    >>> labels_of(np.array([[0, 1], [1, 0]]), 2).tolist()
    [1, 0]
    """
    if classes is not None and len(classes) != count:
        raise UsageError(f"classes has {len(classes)} names, but the output tells {count} classes apart.")
    labels = y.argmax(axis=1) if is_one_hot(y) and y.shape[1] == count else y.reshape(len(y), -1)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or (labels != np.round(labels)).any() or labels.min() < 0 or labels.max() >= count:
        raise UsageError(f"y has shape {y.shape} and values from {y.min()} to {y.max()}, expected labels: whole "
                         f"numbers from 0 to {count - 1}, or one-hot rows of {count}.")  # fmt: skip
    return labels.astype(int)


def is_one_hot(y):
    """Whether y has rows of several numbers, each a single one and else zeros."""
    return y.ndim == 2 and y.shape[1] > 1 and bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())
