"""What is known of a data set by its name alone, without reading or downloading it."""

from dataclasses import dataclass

from kerashw.errors import UsageError


@dataclass(frozen=True)
class Known:
    """A data set that `load` can find by name."""

    title: str
    folders: tuple[str, ...]      # sub-folders of --data-dir in which its files are looked for, in this order
    builder: str                  # its class in tensorflow_datasets.image_classification.mnist; "" if it has none
    classes: tuple[str, ...]      # () for regression
    item_shape: tuple[int, ...]

    @property
    def task(self) -> str:
        return "classification" if self.classes else "regression"


KNOWN = {
    "mnist": Known(
        title="MNIST handwritten digits", folders=("mnist",), builder="MNIST",
        classes=tuple("0123456789"), item_shape=(28, 28)),
    "fashion": Known(
        title="Fashion-MNIST garments", folders=("fashion-mnist", "fashion"), builder="FashionMNIST",
        classes=("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                 "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        item_shape=(28, 28)),
    "regression": Known(
        title="noisy function of one variable, with gaps", folders=("regression",), builder="",
        classes=(), item_shape=(1,)),
}


def describe(name: str) -> Known:
    """What is known of the data set `name`; an unknown name is refused with the list of known ones.

    >>> describe("mnist").task, describe("mnist").item_shape
    ('classification', (28, 28))
    """
    if name not in KNOWN:
        raise UsageError(f"unknown data set {name!r}: known are {', '.join(KNOWN)}; "
                         f"for your own data give its folder with --data-dir")
    return KNOWN[name]
