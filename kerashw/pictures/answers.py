"""How good a run's model answers, as numbers for its figures; all of it is measured on test items unless it says so."""

import numpy as np

from kerashw import diagnosis
from kerashw.evaluation import predict
from kerashw.pictures.data import curve_places, is_image, labels, points
from kerashw.pictures.training import over

PREDICTED, WORST = 40, 30  # items of a sheet


def fit(record):
    """The model's curve before and after training, over all points, each with its error on the training items.

    How it was before is left out where that is not known of all layers. Where the winner was trained several times, on
    folds or with other seeds, there is a band over these curves too; of an ensemble it is over its networks.
    """
    data, x = record.dataset, curve_places(record)
    curves, models = {}, {"before training": record.untrained, "after training": record.model}
    if not {layer.name for layer in record.untrained.layers} <= record.drawn:
        del models["before training"]
    for name, model in models.items():
        error = np.mean((predict(model, data.x_train) - data.y_train) ** 2)
        curves[f"{name}, MSE {error:.4g} on training items"] = predict(model, x[:, None])[:, 0]
    title = "The fit before and after training" if len(models) > 1 else "The fit after training"
    several, which = record.winner_curves, over(record)
    told = f"the winner in the search, over {which}"
    if len(record.networks) > 1:
        several, which = [predict(one, x[:, None])[:, 0] for one in record.networks], f"{len(record.networks)} networks"
        told = f"each of {which}, of which the model is the mean"
    if several is not None:
        *before, after = curves.items()
        curves = dict([*before, (told, several), after])
        title += f", and over {which}"
    return {"points": points(record), "x": x, "curves": curves, "title": title}


def is_regression(record):
    """Whether the targets are numbers."""
    return not record.dataset.classes


def residuals(record):
    """Predicted and actual values."""
    return {
        "predicted": record.outputs[:, 0], "actual": record.dataset.y_test[:, 0],
        "title": f"Residuals of {len(record.outputs):,} test items",
    }  # fmt: skip


def is_classification(record):
    """Whether the targets are classes."""
    return bool(record.dataset.classes)


def classifies_images(record):
    """Whether images are told apart."""
    return is_classification(record) and is_image(record)


def predictions(record):
    """The first test items with what the model takes them for."""
    chosen = np.arange(len(record.outputs))[:PREDICTED]
    return _answered(record, chosen, title=f"Predictions for the first {len(chosen)} test items")


def confusion_matrix(record):
    """How often each class was taken for each other."""
    found = diagnosis.confusion(record.dataset.y_test, record.outputs.argmax(axis=-1), record.dataset.classes)
    return {
        "counts": found.counts, "classes": list(found.classes),
        "title": f"Confusion matrix of {len(record.outputs):,} test items",
    }  # fmt: skip


def class_scores(record):
    """Precision, recall and F1 of each class."""
    found = diagnosis.class_scores(record.dataset.y_test, record.outputs.argmax(axis=-1), record.dataset.classes)
    return {
        "classes": list(found.classes), "precision": found.precision, "recall": found.recall, "f1": found.f1,
        "support": found.count, "title": "Precision and recall of each class, test items",
    }  # fmt: skip


def calibration(record):
    """How often the model is right, by how sure it is."""
    found = diagnosis.calibration(record.chances, record.dataset.y_test)
    return {
        "confidence": found.confidence, "accuracy": found.accuracy, "counts": found.count, "error": found.error,
        "title": "Calibration, test items",
    }  # fmt: skip


def worst_errors(record):
    """The wrong answers of which the model was surest."""
    chosen = diagnosis.worst_errors(record.chances, record.dataset.y_test, WORST)
    return _answered(record, chosen, title="The worst errors among the test items")


def _answered(record, chosen, title):
    """Some test items with their answers."""
    data = record.dataset
    return {
        "images": data.x_test[chosen], "predicted": labels(data, record.outputs[chosen].argmax(axis=-1)),
        "actual": labels(data, data.y_test[chosen]), "confidence": record.chances[chosen].max(axis=-1),
        "title": title,
    }  # fmt: skip
