"""What the epochs of a training are worth: the best of them, and whether it is worth going on."""

import numpy as np

from kerashw.objectives import OBJECTIVES, cost_sign


def pick_best(history, objective):
    """The epoch, from 1, with the best value of the objective; the first of equal ones.

    >>> pick_best({"epoch": [1, 2, 3], "val_mse": [0.5, 0.1, 0.2]}, "val_mse")
    2
    """
    pick = np.argmax if OBJECTIVES[objective] == "max" else np.argmin
    return history["epoch"][int(pick(history[objective]))]


def first_below(history, bars, objective, score_epoch="best"):
    """The first epoch at which a training had not reached what was asked of it; None where it always had.

    >>> first_below({"epoch": [1, 2, 3], "val_mse": [0.9, 0.5, 0.6]}, [(1, 1.0), (2, 0.4)], "val_mse")
    2
    """
    sign = -cost_sign(OBJECTIVES[objective])
    for epoch, bar in bars:
        reached = sign * np.array(history[objective][:epoch]) if len(history[objective]) >= epoch else ()
        if len(reached) and (np.nanmax(reached) if score_epoch == "best" else reached[-1]) < sign * bar:
            return epoch
    return None
