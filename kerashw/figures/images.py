"""Sheets of items: samples, augmented copies, predictions beside the truth, the worst errors."""

import numpy as np

from kerashw.figures.sheets import Tile, columns_for, pixels, sheet
from kerashw.figures.style import captioned, counted, numbers_of

AT_MOST = 60  # tiles of a sheet; more would be too small to be looked at


def sample_items(*, images, labels, title="Sample items"):
    """Items with their labels below; at most 60 of them.

    >>> sample_items(images=[[[0, 255]], [[255, 0]]], labels=["left", "right"]).caption
    '2 items with their labels: 1 left, 1 right.'
    """
    tiles = [Tile(image, str(label)) for image, label in zip(pixels(images), labels)][:AT_MOST]
    kinds = {}
    for tile in tiles:
        kinds[tile.words] = kinds.get(tile.words, 0) + 1
    figure = sheet(tiles, title=title, columns=_columns(tiles))
    told = ", ".join(f"{count} {label}" for label, count in kinds.items())
    cut = f" The first {AT_MOST} of {len(images):,} are shown." if len(images) > AT_MOST else ""
    return captioned(figure, f"{counted(len(tiles), 'item')} with their labels: {told}.{cut}")


def augmented_samples(*, originals, augmented, labels=(), title="Augmentation"):
    """A row for each item: the original, then what the augmentation made of it.

    `augmented` is (items, draws, height, width) or the same with channels.

    >>> augmented_samples(originals=[[[0, 255]]], augmented=[[[[0, 250]], [[5, 255]]]]).caption
    'An original, left, and 2 draws of the augmentation. A draw differs from it by 2.5 of 255 on average.'
    """
    augmented = np.asarray(augmented, dtype=float)
    draws = augmented.shape[1]
    first = pixels(originals)
    drawn = [pixels(some) for some in augmented] if draws else [[] for _ in first]
    tiles = [Tile(image) for original, some in zip(first, drawn) for image in (original, *some)]
    figure = sheet(
        tiles, title=title, columns=1 + draws, row_names=[str(label) for label in labels],
        headings=["original", *(f"draw {number}" for number in range(1, draws + 1))],
    )  # fmt: skip
    apart = [np.abs(np.asarray(some, float) - original).mean() for original, some in zip(first, drawn) if len(some)]
    which = "An original, left," if len(first) == 1 else f"{len(first)} originals, left,"
    told = f"{which} and {counted(draws, 'draw')} of the augmentation{'' if len(first) == 1 else ' for each'}."
    distance = f"A draw differs from it by {np.mean(apart):.1f} of 255 on average." if apart else ""
    return captioned(figure, told, distance)


def predictions(*, images, predicted, actual, confidence=None, title="Predictions"):
    """Items with what was predicted; a wrong one has a cross, a thick frame and the actual label.

    >>> predictions(images=[[[0, 255]], [[255, 0]]], predicted=["7", "1"], actual=["7", "7"]).caption
    '1 of 2 predictions is right; framed: the wrong ones, with the actual label below.'
    """
    predicted, actual = list(map(str, predicted)), list(map(str, actual))
    right = [guess == truth for guess, truth in zip(predicted, actual)]
    sure = _percent(confidence, len(predicted))
    tiles = [
        Tile(image, f"✓ {guess}{how}" if good else f"✗ {guess}{how}\nis {truth}", marked=not good)
        for image, guess, truth, good, how in zip(pixels(images), predicted, actual, right, sure)
    ][:AT_MOST]
    right = right[: len(tiles)]
    figure = sheet(tiles, title=title, columns=_columns(tiles))
    told = f"{sum(right)} of {counted(len(right), 'prediction')} {'is' if sum(right) == 1 else 'are'} right"
    framed = "" if all(right) else "; framed: the wrong ones, with the actual label below"
    return captioned(figure, f"{told}{framed}.")


def worst_errors(*, images, predicted, actual, confidence, title="The worst errors"):
    """The items in the order given, each with the wrong label, how sure the model was of it, and the actual one.

    >>> worst_errors(images=[[[0, 255]]], predicted=["4"], actual=["9"], confidence=[0.98]).caption
    'The 1 wrong answer of which the model was surest, from 98 % to 98 %. Most often 9 was taken for 4 (1 time).'
    """
    sure = numbers_of(confidence)
    tiles = [
        Tile(image, f"{guess}, {100 * share:.0f}\N{NO-BREAK SPACE}%\nis {truth}")
        for image, guess, truth, share in zip(pixels(images), predicted, actual, sure)
    ][:AT_MOST]
    if not tiles:
        return captioned(sheet([], title=title, columns=1), "There are no wrong answers.")
    figure = sheet(tiles, title=title, columns=_columns(tiles))
    sure = sure[: len(tiles)]
    pairs = [(str(truth), str(guess)) for truth, guess in zip(actual, predicted)][: len(tiles)]
    truth, guess = max(pairs, key=pairs.count)
    often = pairs.count((truth, guess))
    return captioned(
        figure, f"The {counted(len(tiles), 'wrong answer')} of which the model was surest, from "
        f"{100 * sure.max():.0f} % to {100 * sure.min():.0f} %.",
        f"Most often {truth} was taken for {guess} ({counted(often, 'time')}).",
    )  # fmt: skip


def _columns(tiles):
    """At most ten columns, eight where the words below an item are long."""
    longest = max((len(line) for tile in tiles for line in tile.words.split("\n")), default=0)
    return columns_for(len(tiles), most=10 if longest <= 12 else 8)


def _percent(confidence, count):
    if confidence is None:
        return [""] * count
    return [f", {100 * share:.0f}\N{NO-BREAK SPACE}%" if np.isfinite(share) else "" for share in numbers_of(confidence)]
