"""What goes into a training, as numbers for its figures: points, items with labels, augmented items."""

import numpy as np

from kerashw.layers import Augmentation, augment_layer
from kerashw.probes import named_layers
from kerashw.seeds import derive

CURVE = 400  # places at which a curve is drawn
SHEET = 40  # items of a sheet
DRAWS, AUGMENTED = 7, 6  # draws of the augmentation for each of so many items


def is_curve(record):
    """Whether items are single numbers with a number as target, so that both can be drawn as points."""
    return not record.dataset.classes and record.dataset.item_shape == (1,)


def curve_places(record):
    """The x at which a curve over the points is drawn, from the first point to the last."""
    every = np.concatenate([record.dataset.x_train[:, 0], record.dataset.x_test[:, 0]])
    return np.linspace(every.min(), every.max(), CURVE).astype("float32")


def is_image(record):
    """Whether items can be looked at: grey or coloured images."""
    shape = record.dataset.item_shape
    return len(shape) == 2 or (len(shape) == 3 and shape[-1] == 3)


def is_augmented(record):
    """Whether items are images that the model varies in training."""
    return is_image(record) and _augmentation(record) is not None


def data_points(record):
    """The points of each part of the data."""
    return {"points": points(record)}


def points(record):
    """{"training": {"x", "y"}, "validation": ..., "test": ...}; with folds every training point validates once."""
    data = record.dataset
    parts = {"training": np.arange(len(data.x_train))}
    if not record.declaration["folds"]:
        parts["training"], parts["validation"] = record.splits[0]
    found = {name: {"x": data.x_train[some, 0], "y": data.y_train[some, 0]} for name, some in parts.items()}
    return {**found, "test": {"x": data.x_test[:, 0], "y": data.y_test[:, 0]}}


def sample_items(record):
    """As many training items of each class as there is room for, class by class."""
    data = record.dataset
    chosen = of_each_class(data.y_train, SHEET) if data.classes else np.arange(min(SHEET, len(data.x_train)))
    title = f"{data.name}: training items"
    return {"images": data.x_train[chosen], "labels": labels(data, data.y_train[chosen]), "title": title}


def augmented_samples(record):
    """An item of each of the first classes with draws of what the model makes of it in training."""
    data = record.dataset
    chosen = of_each_class(data.y_train, AUGMENTED) if data.classes else np.arange(min(AUGMENTED, len(data.x_train)))
    layer = augment_layer(_augmentation(record), seed=derive(record.seed, "figures", "augmentation"))
    originals = data.x_train[chosen]
    drawn = np.asarray(layer(np.repeat(originals, DRAWS, axis=0), training=True))
    return {
        "originals": originals, "augmented": drawn.reshape(len(originals), DRAWS, *originals.shape[1:]),
        "labels": labels(data, data.y_train[chosen]),
    }  # fmt: skip


def of_each_class(y, count):
    """The indices of the first `count` items, at most, with as many of each class as of any other, class by class.

    >>> of_each_class(np.array([1, 0, 1, 1, 0, 1]), 4).tolist()
    [1, 4, 0, 2]
    """
    classes = np.unique(y)
    each = max(count // len(classes), 1)
    return np.concatenate([np.flatnonzero(y == one)[:each] for one in classes])[:count]


def labels(dataset, y):
    """What stands below items with such targets: the names of their classes, or their values."""
    return [dataset.classes[label] for label in y] if dataset.classes else [f"{value:.4g}" for value in y[:, 0]]


def _augmentation(record):
    layers = named_layers(record.network).values()
    return next((layer.augment for layer in layers if isinstance(layer, Augmentation)), None)
