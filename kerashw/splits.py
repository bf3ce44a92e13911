"""Which items train and which validate: seeded, and stratified where there are classes."""

import numpy as np

from kerashw.errors import UsageError


def split(labels, *, stratify, folds=0, validation=0.2, seed=0):
    """A list of (train, validation) index arrays: one hold-out pair, or one pair for each fold.

    >>> [(len(train), len(held)) for train, held in split(np.zeros(10), stratify=False, folds=5)]
    [(8, 2), (8, 2), (8, 2), (8, 2), (8, 2)]
    """
    if folds:
        most = np.unique(labels, return_counts=True)[1].min() if stratify else len(labels)
        if folds > most:
            what = "items of the smallest class" if stratify else "training items"
            raise UsageError(f"{folds} folds need at least {folds} {what}, there are {most}: use fewer folds.")
    from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

    indices = np.arange(len(labels))
    if folds:
        splitter = (StratifiedKFold if stratify else KFold)(folds, shuffle=True, random_state=seed)
        return [(train.astype("int32"), held.astype("int32")) for train, held in splitter.split(indices, labels)]
    try:
        train, held = train_test_split(
            indices, test_size=validation, random_state=seed, stratify=labels if stratify else None
        )
    except ValueError as error:
        raise UsageError(
            f"validation={validation} of {len(labels)} training items cannot be held out ({error}): "
            "use more items or another fraction."
        ) from None
    return [(np.sort(train).astype("int32"), np.sort(held).astype("int32"))]
