"""What a training did, as numbers for its figures: curves of the winner and of the refit, weights before and after."""

import numpy as np

from kerashw.figures import histograms
from kerashw.probes import weights


def search_curves(record):
    """The epochs of the winning trial, one curve for each fold and execution."""
    which = f"The winner, trial {record.winner.number}: its training" if len(record.trials) > 1 else "Training"
    several = over(record)
    by_last = record.declaration["score_epoch"] == "last"
    return {
        "history": without_twins(record.winner_history), "monitor": record.objective, "direction": record.direction,
        "best_epoch": record.winner_history["epoch"][-1] if by_last else None,
        "mark": "last epoch" if by_last else "best epoch",
        "title": f"{which}, validated {f'over {several}' if several else 'on items held out'}",
    }  # fmt: skip


def over(record):
    """What the trainings of the winner differ in, such as "5 folds"; nothing where there is but one."""
    parts = {name: len({getattr(done, name) for done in record.winner.executions}) for name in ("fold", "execution")}
    return " and ".join(f"{count} {name}s" for name, count in parts.items() if count > 1)


def refit_curves(record):
    """The epochs of the final training."""
    history = without_twins(record.history)
    stops = record.declaration["refit"] == "stop"
    on = "the training part, with the validation part beside it" if stops else "all training items"
    monitor = record.objective if record.objective in history else record.objective.removeprefix("val_")
    is_mean = record.declaration.get("refit_average") and not stops
    mark = "the last epoch; a mean of the last ones is kept" if is_mean else "the epoch whose weights are kept"
    return {
        "history": history, "monitor": monitor, "direction": record.direction, "best_epoch": record.refit_epoch,
        "mark": mark, "title": f"The final training, on {on}",
    }  # fmt: skip


def without_twins(history):
    """The history without its losses where they are the mean squared error: one panel is enough for both.

    >>> list(without_twins({"loss": [2.0, 1.0], "mse": [2.0, 1.0], "r2": [0.1, 0.2]}))
    ['mse', 'r2']
    """
    pairs = [(part + "loss", part + "mse") for part in ("", "val_") if part + "mse" in history]
    if not pairs or not all(_alike(history[loss], history[mse]) for loss, mse in pairs):
        return history
    return {name: values for name, values in history.items() if name not in dict(pairs)}


def weight_histograms(record):
    """The weights of each layer before and after the final training; after it alone where their beginning is not known."""
    before = connections(record.untrained)
    before = {name: array for name, array in before.items() if name.partition("/")[0] in record.drawn}
    title = "Weights before and after training" if before else "Weights after training"
    return {"layers": histograms(connections(record.network), before), "title": title}


def connections(model):
    """{layer: its weights in one row}: those of two or more axes, so neither biases nor normalisations.

    >>> from kerashw.models import mlp
    >>> {name: array.shape for name, array in connections(mlp(input_shape=(3,), outputs=1, hidden=(4,))).items()}
    {'dense_1': (12,), 'output': (4,)}
    """
    found = {}
    for layer, arrays in weights(model).items():
        rows = [array.ravel() for array in arrays.values() if array.ndim > 1]
        if rows:
            found[layer] = np.concatenate(rows)
    return found


def _alike(one, other):
    rows = zip(_rows(one), _rows(other), strict=True)
    return all(np.allclose(np.array(a, float), np.array(b, float), rtol=1e-4, equal_nan=True) for a, b in rows)


def _rows(values):
    return [values] if np.ndim(values[0]) == 0 else values
