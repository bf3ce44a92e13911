"""Keras callbacks that show a model from within while it is trained, as pictures in a folder and in TensorBoard.

    model.fit(x, y, callbacks=[ExportFilters("pictures"), ExportFeatureMaps("pictures", x[:1])])

Each takes any functional or Sequential model. The pictures are PNG files with their numbers beside them as JSON; with
`tensorboard="logs"` there is also one tiled image for each layer, and histograms, in a run of that folder.

By default there is a picture before training and one at its end. `at` names other moments: "start", "end", and "best",
the epoch with the best value of the metric `monitor`; `every=10` adds every tenth epoch. `footer` is a line that stands
below every picture.
"""

from kerashw.callbacks.activations import ExportActivations, ExportFeatureMaps
from kerashw.callbacks.answers import ExportConfusion, ExportPredictions
from kerashw.callbacks.weights import ExportFilters, ExportWeights

__all__ = [
    "ExportActivations",
    "ExportConfusion",
    "ExportFeatureMaps",
    "ExportFilters",
    "ExportPredictions",
    "ExportWeights",
]
