"""What is inside of a run's model, as numbers for its figures: layers, filters, maps, profiles, the gradient check."""

import numpy as np

from kerashw import probes
from kerashw.figures.style import times
from kerashw.gradcheck import PRECISIONS
from kerashw.pictures.data import is_curve, is_image, labels, of_each_class

SAMPLE = 512  # items by which units are judged
KERNEL_AT_MOST = 200_000  # weights of a dense layer: of more, each would be finer than the dots of a picture
CONVOLUTIONS_AT_MOST = 6  # of a deep model: the first half and the last half of so many


def layer_table(record):
    """Every layer with its kind, its output and its weights."""
    kinds = probes.named_layers(record.network)
    outputs = probes.activations(record.network, record.dataset.x_train[:1])
    shapes = {name: [array.shape for array in own.values()] for name, own in probes.weights(record.network).items()}
    counts = {name: sum(int(np.prod(shape)) for shape in shapes.get(name, ())) for name in kinds}
    each = record.dataset.item_shape
    return {
        "columns": {
            "layer": list(kinds),
            "kind": [type(layer).__name__ for layer in kinds.values()],
            "output": [times(outputs[name].shape[1:]) for name in kinds],
            "weights": [", ".join(map(times, shapes.get(name, ()))) for name in kinds],
            "parameters": [counts[name] for name in kinds],
        },
        "title": f"The layers of the model: {record.network.count_params():,} parameters",
        "note": f"An item has {times(each)} value{'' if each == (1,) else 's'}.",
    }


def has_hidden(record):
    """Whether there is a dense layer between input and output."""
    return bool(_profiles(record))


def activation_profiles(record):
    """What the hidden dense layers answer to three items, and the share of their units that never say anything."""
    _, names = _three(record)
    sample = record.dataset.x_train[:SAMPLE]
    return {
        "activations": _profiles(record), "inputs": names,
        "inactive": probes.inactive_units(record.network, sample),
        "title": f"Hidden layers: activations, and units inactive for all of {len(sample):,} training items",
    }  # fmt: skip


def convolutions(record):
    """The names of the convolutions of one or two dimensions; of a deep model the first and the last."""
    names = [name for name, kernels in probes.filters(record.network).items() if kernels.ndim in (3, 4)]
    half = CONVOLUTIONS_AT_MOST // 2
    return names if len(names) <= CONVOLUTIONS_AT_MOST else names[:half] + names[-half:]


def filters(record, layer):
    """The filters of a convolution."""
    return {"kernels": np.moveaxis(probes.filters(record.network)[layer], 0, -1), "layer": layer}


def overlooking(record):
    """The name of the first dense layer where it sees all pixels of an image at once, as a list."""
    first = next(((name, array) for name, array in _kernels(record.network).items()), None)
    shape = record.dataset.item_shape
    sees = first is not None and len(shape) == 2 and first[1].shape[0] == np.prod(shape)
    return [first[0]] if sees and not convolutions(record) else []


def pixel_weights(record, layer):
    """The weights of a dense layer as pictures: of each unit the weight of every pixel."""
    kernel = _kernels(record.network)[layer]
    return {
        "kernels": kernel.reshape(*record.dataset.item_shape, 1, -1), "layer": layer,
        "title": f"Weights of {layer}, pixel by pixel",
    }  # fmt: skip


def has_dense_weights(record):
    """Whether images are judged by dense layers whose weights a picture can show one by one."""
    return is_image(record) and bool(_last_kernels(record))


def dense_weights(record):
    """The kernels of the last dense layers, up to the output; its units are the classes."""
    return {"kernels": _last_kernels(record), "outputs": list(record.dataset.classes)}


def map_layers(record):
    """The convolutions whose maps of an image are pictures."""
    return [name for name in convolutions(record) if is_image(record) and probes.filters(record.network)[name].ndim == 4]


def feature_maps(record, layer):
    """What a convolution makes of the first training item."""
    maps = probes.feature_maps(record.network, record.dataset.x_train[:1])
    name = labels(record.dataset, record.dataset.y_train[:1])[0]
    return {
        "image": record.dataset.x_train[0], "maps": maps[layer][0], "layer": layer,
        "title": f"Feature maps of {layer} for the first training item ({name})",
    }  # fmt: skip


def wants_gradient_check(record):
    """Whether the study asks for it."""
    return record.declaration["gradient_check"]


def gradient_check(record):
    """The largest difference between finite differences and automatic differentiation for each step."""
    check, item = record.gradients
    return {
        "n": check.inverse_steps, "differences": check.difference,
        "title": f"Gradient check: the first {check.automatic['float64'].size} weights of {check.layer}, "
                 f"training item {item:,}",
    }  # fmt: skip


def gradient_summary(record):
    """What metrics.json says of the gradient check: its layer and item, and the smallest difference by precision."""
    check, item = record.gradients
    best = {
        precision: {"smallest_difference": float(check.difference[precision].min()), "n": check.best(precision)}
        for precision in PRECISIONS
    }
    return {"layer": check.layer, "weight": check.weight, "item": item, **best}


def _three(record):
    """Three items that differ, and what they are called."""
    data = record.dataset
    if is_curve(record):
        x = probes.left_centre_right(data.x_train)
        return x, [f"{side}, x = {value:.3g}" for side, value in zip(("left", "centre", "right"), x[:, 0])]
    chosen = np.arange(min(3, len(data.x_train)))
    if data.classes:
        first = of_each_class(data.y_train, len(data.classes))
        chosen = first[np.unique(np.linspace(0, len(first) - 1, 3).astype(int))]
    names = labels(data, data.y_train[chosen])
    return data.x_train[chosen], [f"training item {item:,} ({name})" for item, name in zip(chosen, names)]


def _profiles(record):
    return probes.activation_profiles(record.network, _three(record)[0])


def _kernels(model):
    """The kernels of the dense layers, (inputs, units) each."""
    layers = probes.weights(model).items()
    return {name: own["kernel"] for name, own in layers if "kernel" in own and own["kernel"].ndim == 2}


def _last_kernels(record):
    """The kernels of the output and the last two hidden dense layers, without one that `pixel_weights` shows."""
    kernels = list(_kernels(record.network).items())[-3:]
    others = overlooking(record)
    return {name: kernel for name, kernel in kernels if name not in others and kernel.size <= KERNEL_AT_MOST}
