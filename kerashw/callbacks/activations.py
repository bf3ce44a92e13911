"""Callbacks that show what the layers of a model make of chosen items: activations and feature maps."""

import numpy as np

from kerashw import figures, probes
from kerashw.callbacks.export import Export, chosen, file_names, names_of, pages
from kerashw.callbacks.tiles import as_pictures, matrix, spread, tiled
from kerashw.errors import UsageError
from kerashw.figures.kernels import MAPS_AT_MOST
from kerashw.probes.graph import check_names, inputs_of, named_layers

ROWS_OF_A_SHEET = 6  # layers of which one sheet has the activations
COLUMNS_OF_A_SHEET = 3  # items for which it has them
ITEMS_AT_MOST = 16  # each has a sheet for every layer


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
        self.x, self.layers = _given("x", x, self), names_of(layers)

    def finds(self, model):
        return self.layers is not None or bool(probes.activation_profiles(model, _first(self.x)))

    def check(self, model):
        inputs_of(model, self.x)
        check_names(self.layers or (), list(named_layers(model, nested=True)))
        if not self.finds(model):
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
        for name, page in pages("activations", shown, ROWS_OF_A_SHEET):
            yield name, figures.activation_profiles, dict(
                activations={layer: shown[layer] for layer in page}, inputs=words,
                inactive={layer: inactive[layer] for layer in page if layer in inactive},
                title=f"Activations {moment.words}",
            )  # fmt: skip

    def images(self, seen, moment):
        return {f"activations/{layer}": matrix(values)[None] for layer, values in seen[0].items()}

    def histograms(self, seen):
        return {f"activations/{layer}/values": values for layer, values in seen[0].items()}


class ExportFeatureMaps(Export):
    """What every convolution and pooling makes of each item of x, a sheet for each; of those named with `layers`.

    `x` holds up to 16 items as the model takes them, so `x[:1]` for the first.

    >>> ExportFeatureMaps("pictures", np.zeros((1, 28, 28)), at="end", footer="Stand-in data").footer
    'Stand-in data'
    """

    kind = "feature_maps"

    def __init__(self, folder=None, x=None, *, layers=None, **when_and_where):
        super().__init__(folder, **when_and_where)
        self.x, self.layers = _given("x", x, self), names_of(layers)

    def finds(self, model):
        return bool(probes.feature_maps(model, _first(self.x)))

    def check(self, model):
        arrays = inputs_of(model, self.x)
        if len(arrays[0]) > ITEMS_AT_MOST:
            raise UsageError(f"x holds {len(arrays[0]):,} items, each of which has a sheet for every layer: give at "
                             f"most {ITEMS_AT_MOST}, for instance x[:1].")  # fmt: skip
        if not self.finds(model):
            raise UsageError(f"{model.name} has no convolution or pooling, so no feature maps: use ExportActivations.")
        check_names(self.layers or (), list(probes.feature_maps(model, _first(self.x))))

    def look(self, model):
        found = chosen(probes.feature_maps(model, self.x), self.layers)
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
        return {f"feature_maps/{layer}/values": maps for layer, maps in seen[1].items()}


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
