"""Stand-ins for the known data sets, generated here: the same on every call, never to pass for real."""

import numpy as np

from kerashw.datasets.dataset import Dataset

SEED = 20_20
TEST_DIGITS = 360                 # of scikit-learn's 1,797; a fifth
GARMENTS = (2_000, 500)           # training and test
POINTS = 100                      # training, and test, as in the real set
GAPS = ((-3.0, -1.0), (1.7, 3.1))            # where the training set has no x, but the test set has
NOISE_TRAIN, NOISE_TEST = 0.5, 0.1           # standard deviations


def stand_in(name: str, classes: tuple[str, ...]) -> Dataset:
    """The stand-in for the known data set `name`, with the names of its classes.

    >>> stand_in("mnist", tuple("0123456789")).sizes
    (1437, 360)
    """
    make, what = {
        "mnist": (digits, "scikit-learn's digits drawn at 28x28"),
        "fashion": (garments, "generated garments"),
        "regression": (noisy_function, "a generated noisy function with gaps"),
    }[name]
    x_train, y_train, x_test, y_test = make()
    return Dataset(name, x_train, y_train, x_test, y_test, classes=classes,
                   source=f"stand-in: {what}", stand_in=True)


def digits() -> tuple[np.ndarray, ...]:
    """scikit-learn's 1,797 real digits of 8x8, enlarged to 20x20 and centred by mass in 28x28, as MNIST's are."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    small, labels = load_digits(return_X_y=True)            # (1797, 64), from 0 to 16
    enlarged = zoom(small.reshape(-1, 8, 8), (1, 2.5, 2.5), order=3, mode="grid-constant", grid_mode=True)
    ink = np.clip((enlarged - 4.0) / 9.0, 0.0, 1.0)         # the edges blur in enlarging; MNIST's strokes are full
    images = np.zeros((len(ink), 28, 28), np.uint8)
    places = np.arange(20)
    for image, digit in zip(images, np.round(255 * ink)):
        centre = [np.average(places, weights=digit.sum(axis=axis)) for axis in (1, 0)]
        top, left = (int(np.clip(round(13.5 - middle), 0, 8)) for middle in centre)
        image[top:top + 20, left:left + 20] = digit
    x_train, x_test, y_train, y_test = train_test_split(
        images, labels, test_size=TEST_DIGITS, stratify=labels, random_state=SEED)
    return x_train, y_train, x_test, y_test


def garments() -> tuple[np.ndarray, ...]:
    """2,500 drawn garments of ten kinds, of which upper garments are hard to tell apart, as in Fashion-MNIST."""
    from kerashw.datasets.garments import draw_garments     # imports Pillow

    train, test = GARMENTS
    generator = np.random.default_rng(SEED)
    labels = np.concatenate([generator.permutation(np.arange(size) % 10) for size in (train, test)])
    images = draw_garments(labels, generator)
    return images[:train], labels[:train], images[train:], labels[train:]


def noisy_function() -> tuple[np.ndarray, ...]:
    """A hundred noisy points to learn from, with two gaps, and a hundred cleaner ones everywhere to test on."""
    generator = np.random.default_rng(SEED)
    everywhere = generator.uniform(-5.0, 5.0, 4 * POINTS)
    in_gap = np.any([(low < everywhere) & (everywhere < high) for low, high in GAPS], axis=0)
    x_train, x_test = everywhere[~in_gap][:POINTS], generator.uniform(-5.0, 5.0, POINTS)
    y_train = curve(x_train) + generator.normal(0.0, NOISE_TRAIN, POINTS)
    y_test = curve(x_test) + generator.normal(0.0, NOISE_TEST, POINTS)
    return x_train, y_train, x_test, y_test


def curve(x: np.ndarray) -> np.ndarray:
    """The function itself: two waves on a slope, from about -3.2 to 6.4 over x from -5 to 5.

    >>> round(float(curve(0.0)), 3)
    4.931
    """
    return 1.3 + 0.4 * x + 3.2 * np.sin(1.3 * x + 1.2) + 1.2 * np.cos(2.7 * x + 1.0)
