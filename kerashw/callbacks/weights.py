"""Callbacks that show what a model has learnt: the weights of its layers, and the filters of its convolutions."""

import numpy as np

from kerashw import figures, probes
from kerashw.callbacks.export import Export, chosen, file_names, names_of, pages
from kerashw.callbacks.tiles import matrix, spread, tiled
from kerashw.errors import UsageError
from kerashw.figures.kernels import CHANNELS_AT_MOST, FILTERS_AT_MOST
from kerashw.probes.graph import check_built, check_names

PANELS_OF_A_SHEET = 12  # layers of which one sheet has the histograms


class ExportWeights(Export):
    """The histograms of the kernels of every layer, beside those from which the training began.

    TensorBoard gets the histograms of all weights, and for each layer one picture of its kernel: the filters of a
    convolution as tiles, any other as a matrix with a row for each unit. For the arguments see the package.

    >>> import tempfile
    >>> from kerashw.models import mlp
    >>> model, folder = mlp(input_shape=(2,), outputs=1, hidden=(3,)), tempfile.mkdtemp()
    >>> model.compile("sgd", "mse")
    >>> fitted = model.fit(np.ones((4, 2)), np.ones(4), verbose=0, callbacks=[ExportWeights(folder, at="end")])
    >>> import os; sorted(os.listdir(folder))
    ['weights.end.json', 'weights.end.png']
    """

    kind = "weights"

    def finds(self, model):
        return bool(model.weights)

    def check(self, model):
        check_built(model)
        if not self.finds(model):
            raise UsageError(f"{model.name} has no weights to export.")

    def begin(self, model):
        self._first = _kernels(probes.weights(model))

    def look(self, model):
        return probes.weights(model), probes.filters(model)

    def sheets(self, seen, moment):
        kernels = _kernels(seen[0])
        before = None if moment.name == "start" else self._first
        for name, page in pages("weights", kernels, PANELS_OF_A_SHEET):
            layers = figures.histograms({layer: kernels[layer] for layer in page}, before)
            yield name, figures.weight_histograms, dict(
                layers=layers, title=f"Weights {moment.words}", after="now", before="when training began"
            )

    def images(self, seen, moment):
        weights, filters = seen
        pictures = {layer: _filter_tiles(kernels) for layer, kernels in filters.items()}
        for layer, kernel in _kernels(weights).items():
            if layer.partition(":")[0] not in pictures:
                pictures[layer] = matrix(kernel.reshape(-1, kernel.shape[-1]).T)
        return {f"weights/{layer}": picture[None] for layer, picture in pictures.items()}

    def histograms(self, seen):
        return {f"weights/{layer}/{name}": values for layer, own in seen[0].items() for name, values in own.items()}

    def _forget(self):
        super()._forget()
        self._first = None

    def __getstate__(self):
        return {**super().__getstate__(), "_first": None}


class ExportFilters(Export):
    """The filters of every convolution as tiles, one sheet for each layer; of those named only with `layers`.

    >>> ExportFilters("pictures", every=5, tensorboard="logs").cadence.every
    5
    """

    kind = "filters"

    def __init__(self, folder=None, *, layers=None, **when_and_where):
        super().__init__(folder, **when_and_where)
        self.layers = names_of(layers)

    def finds(self, model):
        return bool(probes.filters(model))

    def check(self, model):
        check_built(model)
        if not self.finds(model):
            raise UsageError(f"{model.name} has no convolution, so there are no filters: use ExportWeights.")
        check_names(self.layers or (), list(probes.filters(model)))

    def look(self, model):
        return chosen(probes.filters(model), self.layers)

    def sheets(self, seen, moment):
        names = file_names(seen)
        for layer, kernels in seen.items():
            yield f"filters.{names[layer]}", figures.filters, dict(
                kernels=np.moveaxis(spread(kernels), 0, -1), layer=layer, title=f"Filters of {layer}, {moment.words}"
            )

    def images(self, seen, moment):
        return {f"filters/{layer}": _filter_tiles(kernels)[None] for layer, kernels in seen.items()}


def _kernels(weights):
    """{layer: its kernel}, or "layer: name" where it has several; what has fewer than two dimensions is left out."""
    kernels = {}
    for layer, own in weights.items():
        large = {name: values for name, values in own.items() if values.ndim > 1}
        for name, values in large.items():
            kernels[layer if len(large) == 1 else f"{layer}: {name}"] = values
    return kernels


def _filter_tiles(kernels):
    """The filters (filters, *kernel_size, channels) as tiles, with more channels than one in rows of their own."""
    part = spread(kernels)[:FILTERS_AT_MOST, ..., :CHANNELS_AT_MOST]
    count, tall, wide, depth = part.shape
    tiles = part.transpose(3, 0, 1, 2).reshape(-1, tall, wide)
    return tiled(tiles, symmetric=True, columns=count if depth > 1 else None)
