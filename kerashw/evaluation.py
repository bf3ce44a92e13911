"""How good a model's answers are: metrics from outputs and truth, and probabilities from logits."""

import numpy as np

PREDICTION_BATCH = 1024


def predict(model, x):
    """The model's outputs for all items, in inference mode."""
    return model.predict(x, batch_size=PREDICTION_BATCH, verbose=0)


def probabilities(logits):
    """Softmax along the last axis.

    >>> probabilities(np.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def metrics(outputs, y, *, is_classification):
    """Accuracy and cross-entropy of logits, or MSE, MAE and R2 of values, as plain numbers.

    >>> metrics(np.array([[2.0], [4.0]]), np.array([[1.0], [5.0]]), is_classification=False)
    {'mse': 1.0, 'mae': 1.0, 'r2': 0.75}
    """
    from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

    if is_classification:
        chances = probabilities(outputs.astype("float64"))
        loss = -np.log(np.maximum(chances[np.arange(len(y)), y], np.finfo("float64").tiny)).mean()
        return {"accuracy": float((outputs.argmax(axis=-1) == y).mean()), "cross_entropy": float(loss)}
    return {
        "mse": float(mean_squared_error(y, outputs)),
        "mae": float(mean_absolute_error(y, outputs)),
        "r2": float(r2_score(y, outputs)) if len(y) > 1 else 0.0,
    }
