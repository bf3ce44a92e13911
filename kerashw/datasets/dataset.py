"""`Dataset`: four checked, read-only arrays with the names of their classes and where they came from."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from kerashw.errors import UsageError

PARTS = ("x_train", "y_train", "x_test", "y_test")
MOST_CLASSES = 10_000             # more "classes" than this is a column of identifiers or of measurements


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test items in one fixed form, refused at construction if anything in them does not fit.

    Inputs are uint8 images, (n, height, width) if grey and (n, height, width, channels) if coloured, or a float32
    table (n, features). Targets are int64 labels (n,) if there are `classes`, else float32 values (n, 1). Arrays
    that mean the same in another form (a channel of one, int32 labels, float64 tables) are brought into this one.

    >>> data = Dataset("line", [[0.0], [1.0]], [1.0, 3.0], [[2.0]], [5.0], classes=(), source="typed in")
    >>> data.task, data.item_shape, data.sizes, data.y_train.shape
    ('regression', (1,), (2, 1), (2, 1))
    """

    name: str
    x_train: np.ndarray = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    x_test: np.ndarray = field(repr=False)
    y_test: np.ndarray = field(repr=False)
    classes: tuple[str, ...]      # () for regression
    source: str                   # one phrase: "folder data/mnist", "tensorflow-datasets", "stand-in: ..."
    stand_in: bool = False
    columns: tuple[str, ...] = ()  # names of the features, where the items come from a table that has them

    def __post_init__(self):
        object.__setattr__(self, "classes", tuple(self.classes))
        try:
            _check_classes(self.classes)
            for part in PARTS:
                shaped = _inputs if part.startswith("x") else _targets
                array = np.ascontiguousarray(shaped(part, np.asarray(getattr(self, part)), self.classes)).view()
                array.flags.writeable = False
                object.__setattr__(self, part, array)
            _check_pairs(self)
        except UsageError as error:
            raise UsageError(f"data set {self.name}: {error}") from None

    @property
    def task(self) -> str:
        """What a model has to do: "classification" or "regression"."""
        return "classification" if self.classes else "regression"

    @property
    def item_shape(self) -> tuple[int, ...]:
        """The shape of one input: (28, 28) for a grey image, (1,) for one number."""
        return self.x_train.shape[1:]

    @property
    def sizes(self) -> tuple[int, int]:
        """How many training and how many test items there are."""
        return len(self.x_train), len(self.x_test)

    @cached_property
    def digest(self) -> str:
        """The sha256, in hexadecimal, over type, shape and bytes of all four arrays, in their order."""
        sha256 = hashlib.sha256()
        for part in PARTS:
            array = getattr(self, part)
            sha256.update(f"{part} {array.dtype.str} {array.shape}\n".encode())
            sha256.update(array.data)
        return sha256.hexdigest()


def with_samples(dataset: Dataset, samples: int, seed: int) -> Dataset:
    """The same data set with only `samples` training items, in the same proportions of classes.

    The choice depends on the seed alone, keeps the items' order, and a smaller one lies within a larger.
    The test set stays as it is.

    >>> images, labels = np.zeros((8, 2, 2), np.uint8), [0, 0, 0, 0, 0, 0, 1, 1]
    >>> data = Dataset("toy", images, labels, images, labels, classes=("a", "b"), source="typed in")
    >>> with_samples(data, 4, seed=0).y_train.tolist()
    [0, 0, 0, 1]
    """
    size = len(dataset.x_train)
    groups = dataset.y_train if dataset.classes else np.zeros(size, np.int64)
    least = len(np.unique(groups))
    if not least <= samples <= size:
        raise UsageError(f"--samples {samples} does not fit data set {dataset.name}: "
                         f"give {least:,} (one per class) to {size:,} (all of its training items)"
                         if dataset.classes else
                         f"--samples {samples} does not fit data set {dataset.name}: give 1 to {size:,}")
    if samples == size:
        return dataset
    # Each item gets its place within its own shuffled class, from 0 to 1; the lowest places win. Unlike
    # scikit-learn's stratified splits this leaves no sizes out and takes at least one item of every class.
    place = np.empty(size)
    generator = np.random.default_rng(seed)
    for group in np.unique(groups):
        members = generator.permutation(np.flatnonzero(groups == group))
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
        place[members[0]] = 0.0
    chosen = np.sort(np.argsort(place, kind="stable")[:samples])
    return replace(dataset, x_train=dataset.x_train[chosen], y_train=dataset.y_train[chosen])


def _inputs(part, array, classes):
    if array.dtype.kind not in "biuf":
        raise UsageError(f"{part} holds {array.dtype}, expected numbers")
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (1, 2, 3, 4) or 0 in array.shape[1:]:
        raise UsageError(f"{part} has shape {array.shape}, expected images (n, height, width) or "
                         f"(n, height, width, channels), or a table (n, features)")
    if array.ndim >= 3:
        if array.dtype != np.uint8:
            raise UsageError(f"{part} holds images as {array.dtype}, expected uint8 from 0 to 255")
        return array
    return _finite(part, array.reshape(len(array), -1) if array.size else array.reshape(0, 1))


def _targets(part, array, classes):
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise UsageError(f"{part} has shape {array.shape}, expected one target per item: (n,) or (n, 1)")
    if not classes:
        if array.dtype.kind not in "biuf":
            raise UsageError(f"{part} holds {array.dtype}, expected numbers, as there are no classes")
        return _finite(part, array[:, None])
    if array.dtype.kind not in "iu":
        raise UsageError(f"{part} holds {array.dtype}, expected whole numbers: labels "
                         f"of {len(classes)} classes")
    outside = array[(array < 0) | (array >= len(classes))]
    if len(outside):
        raise UsageError(f"{part} holds label {outside[0]}, expected 0 to {len(classes) - 1} "
                         f"for {len(classes)} classes")
    return array.astype(np.int64)


def _finite(part, array):
    with np.errstate(over="ignore"):            # too large for 32 bits becomes infinite, and is told below
        array = array.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise UsageError(f"{part} is not finite in 32 bits in {len(bad):,} rows, the first at index {bad[0]}; "
                         f"fill in or leave out such rows")
    return array


def _check_classes(classes):
    if len(classes) == 1 or len(set(classes)) < len(classes):
        raise UsageError(f"classes are {', '.join(map(repr, classes))}, expected two or more different "
                         f"names, or none")


def _check_pairs(dataset):
    for kind, x, y in (("training", dataset.x_train, dataset.y_train), ("test", dataset.x_test, dataset.y_test)):
        if len(x) != len(y):
            raise UsageError(f"{len(x):,} {kind} inputs but {len(y):,} {kind} targets, expected as many of each")
        if not len(x):
            raise UsageError(f"no {kind} items, expected at least one")
    if dataset.x_train.shape[1:] != dataset.x_test.shape[1:]:
        raise UsageError(f"a training item has shape {dataset.x_train.shape[1:]} but a test item "
                         f"{dataset.x_test.shape[1:]}, expected the same")
