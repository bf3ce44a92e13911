"""Callbacks that show what is in the layers of a model: weights and filters, activations and feature maps."""

import numpy as np

from kerashw import figures, probes
from kerashw.callbacks.export import Export, file_names
from kerashw.callbacks.tiles import as_pictures, matrix, spread, tiled
from kerashw.errors import UsageError
from kerashw.figures.kernels import CHANNELS_AT_MOST, FILTERS_AT_MOST, MAPS_AT_MOST
from kerashw.probes.graph import check_names, inputs_of, named_layers

PANELS_OF_A_SHEET = 12  # layers of which one sheet has the histograms
ROWS_OF_A_SHEET = 6  # layers of which one sheet has the activations
COLUMNS_OF_A_SHEET = 3  # items for which it has them
ITEMS_AT_MOST = 16  # each has a sheet for every layer


class ExportWeights(Export):
    """The histograms of the kernels of every layer, beside those from which the training began.

    TensorBoard gets the histograms of all weights, and for each layer one picture of its kernel: the filters of a
    convolution as tiles, any other as a matrix with a column for each unit. For the arguments see the package.

    >>> import tempfile
    >>> from kerashw.models import mlp
    >>> model, folder = mlp(input_shape=(2,), outputs=1, hidden=(3,)), tempfile.mkdtemp()
    >>> model.compile("sgd", "mse")
    >>> fitted = model.fit(np.ones((4, 2)), np.ones(4), verbose=0, callbacks=[ExportWeights(folder, at="end")])
    >>> import os; sorted(os.listdir(folder))
    ['weights.end.json', 'weights.end.png']
    """

    kind = "weights"

    def check(self, model):
        if not model.weights:
            raise UsageError(f"{model.name} has no weights to export.")

    def begin(self, model):
        self._first = _kernels(probes.weights(model))

    def look(self, model):
        return probes.weights(model), probes.filters(model)

    def sheets(self, seen, moment):
        kernels = _kernels(seen[0])
        before = None if moment.name == "start" else self._first
        for name, page in _pages("weights", kernels, PANELS_OF_A_SHEET):
            layers = figures.histograms({layer: kernels[layer] for layer in page}, before)
            yield name, figures.weight_histograms, dict(
                layers=layers, title=f"Weights {moment.words}", after="now", before="when training began"
            )

    def images(self, seen, moment):
        weights, filters = seen
        pictures = {layer: _filter_tiles(kernels) for layer, kernels in filters.items()}
        for layer, kernel in _kernels(weights).items():
            if layer.partition(":")[0] not in pictures:
                pictures[layer] = matrix(kernel.reshape(-1, kernel.shape[-1]))
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
        self.layers = _names(layers)

    def check(self, model):
        names = list(probes.filters(model))
        if not names:
            raise UsageError(f"{model.name} has no convolution, so there are no filters: use ExportWeights.")
        check_names(self.layers or (), names)

    def look(self, model):
        return _only(probes.filters(model), self.layers)

    def sheets(self, seen, moment):
        names = file_names(seen)
        for layer, kernels in seen.items():
            yield f"filters.{names[layer]}", figures.filters, dict(
                kernels=np.moveaxis(spread(kernels), 0, -1), layer=layer, title=f"Filters of {layer}, {moment.words}"
            )

    def images(self, seen, moment):
        return {f"filters/{layer}": _filter_tiles(kernels)[None] for layer, kernels in seen.items()}


class ExportActivations(Export):
    """What the units of every hidden dense layer answer to items of x, and the share of them that stay near zero.

    Three items are drawn: the first ones, or of single numbers the least, the one in the middle and the largest. The
    shares and TensorBoard's histograms are over all of x. `layers` names other layers, of any kind, in their place.

    >>> ExportActivations("pictures", np.linspace(-5, 5, 100)).cadence.at
    ('start', 'end')
    """

    kind = "activations"

    def __init__(self, folder=None, x=None, *, layers=None, **when_and_where):
        super().__init__(folder, **when_and_where)
        self.x, self.layers = _given("x", x, self), _names(layers)

    def check(self, model):
        inputs_of(model, self.x)
        if self.layers is not None:
            check_names(self.layers, list(named_layers(model, nested=True)))
        elif not probes.activation_profiles(model, _first(self.x)):
            raise UsageError(f"{model.name} has no hidden dense layer: name some with layers=..., or use "
                             "ExportFeatureMaps for convolutions.")  # fmt: skip

    def look(self, model):
        answers = self._answers(model, self.x)
        inactive = probes.inactive_units(model, self.x)
        arrays = inputs_of(model, self.x)
        if len(arrays) == 1 and arrays[0][0].size == 1:
            items = probes.left_centre_right(arrays[0].reshape(-1))
            words = [f"x = {float(item[0]):.3g}" for item in items]
            shown = self._answers(model, items.reshape(-1, *arrays[0].shape[1:]))
        else:
            shown = {layer: values[:COLUMNS_OF_A_SHEET] for layer, values in answers.items()}
            words = [f"item {number}" for number in range(min(COLUMNS_OF_A_SHEET, len(arrays[0])))]
        return answers, shown, words, inactive

    def _answers(self, model, x):
        if self.layers is None:
            found = probes.activation_profiles(model, x)
        else:
            found = probes.activations(model, x, self.layers)
        return {layer: values.reshape(len(values), -1) for layer, values in found.items()}

    def sheets(self, seen, moment):
        _, shown, words, inactive = seen
        for name, page in _pages("activations", shown, ROWS_OF_A_SHEET):
            yield name, figures.activation_profiles, dict(
                activations={layer: shown[layer] for layer in page}, inputs=words,
                inactive={layer: inactive[layer] for layer in page if layer in inactive},
                title=f"Activations {moment.words}",
            )  # fmt: skip

    def images(self, seen, moment):
        return {f"activations/{layer}": matrix(values)[None] for layer, values in seen[0].items()}

    def histograms(self, seen):
        return {f"activations/{layer}": values for layer, values in seen[0].items()}


class ExportFeatureMaps(Export):
    """What every convolution and pooling makes of each item of x, a sheet for each; of those named with `layers`.

    `x` holds up to 16 items as the model takes them, so `x[:1]` for the first.

    >>> ExportFeatureMaps("pictures", np.zeros((1, 28, 28)), at="end", footer="Stand-in data").footer
    'Stand-in data'
    """

    kind = "feature_maps"

    def __init__(self, folder=None, x=None, *, layers=None, **when_and_where):
        super().__init__(folder, **when_and_where)
        self.x, self.layers = _given("x", x, self), _names(layers)

    def check(self, model):
        arrays = inputs_of(model, self.x)
        if len(arrays[0]) > ITEMS_AT_MOST:
            raise UsageError(f"x holds {len(arrays[0]):,} items, each of which has a sheet for every layer: give at "
                             f"most {ITEMS_AT_MOST}, for instance x[:1].")  # fmt: skip
        names = list(probes.feature_maps(model, _first(self.x)))
        if not names:
            raise UsageError(f"{model.name} has no convolution or pooling, so no feature maps: use ExportActivations.")
        check_names(self.layers or (), names)

    def look(self, model):
        found = _only(probes.feature_maps(model, self.x), self.layers)
        known = named_layers(model)
        for layer, maps in found.items():
            channels_first = getattr(known[layer], "data_format", None) == "channels_first"
            found[layer] = spread(np.moveaxis(maps, 1, -1) if channels_first else maps)
        return as_pictures(known.values(), inputs_of(model, self.x)), found

    def sheets(self, seen, moment):
        pictures, found = seen
        names = file_names(found)
        for layer, maps in found.items():
            for item, (picture, own) in enumerate(zip(pictures, maps)):
                which, of = (f".item_{item}", f" of item {item}") if len(pictures) > 1 else ("", "")
                yield f"feature_maps.{names[layer]}{which}", figures.feature_maps, dict(
                    image=picture, maps=own, layer=layer, title=f"Feature maps of {layer}{of}, {moment.words}"
                )

    def images(self, seen, moment):
        return {
            f"feature_maps/{layer}": np.stack(
                [tiled(np.moveaxis(own[..., :MAPS_AT_MOST], -1, 0), symmetric=False) for own in maps]
            )
            for layer, maps in seen[1].items()
        }

    def histograms(self, seen):
        return {f"feature_maps/{layer}": maps for layer, maps in seen[1].items()}


def _kernels(weights):
    """{layer: its kernel}, or "layer: name" where it has several weights of two or more dimensions; biases are left out."""
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


def _pages(name, layers, most):
    """(name of the sheet, its layers), so many on each; sheets are numbered where there are several."""
    layers = list(layers)
    parts = [layers[start : start + most] for start in range(0, len(layers), most)] or [[]]
    return [(name if len(parts) == 1 else f"{name}.{number}", part) for number, part in enumerate(parts, 1)]


def _only(arrays, names):
    return arrays if names is None else {name: arrays[name] for name in names}


def _names(layers):
    if layers is None:
        return None
    layers = (layers,) if isinstance(layers, str) else tuple(layers)
    if not layers:
        raise UsageError("layers is empty: name some, or leave it out for all.")
    return layers


def _given(name, value, export):
    """The items, which have no default but stand after one."""
    if value is None:
        raise UsageError(f"{type(export).__name__} needs {name}: items as the model takes them, for instance x[:1].")
    return value


def _first(x):
    """The first item alone, of one input or several."""
    if isinstance(x, dict):
        return {name: np.asarray(values)[:1] for name, values in x.items()}
    if isinstance(x, (list, tuple)):
        return [np.asarray(values)[:1] for values in x]
    return np.asarray(x)[:1]
