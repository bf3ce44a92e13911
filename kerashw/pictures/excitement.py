"""What the units of a run's model look for, as numbers for its figures: maximal inputs, crops, fields, attributions."""

import numpy as np

from kerashw import probes
from kerashw.pictures.data import is_image, labels, of_each_class
from kerashw.pictures.inside import SAMPLE, map_layers
from kerashw.probes.graph import output_names
from kerashw.probes.kinds import CONVOLUTIONS, POOLINGS

UNITS = 20  # of which maximal inputs are shown
ROWS, CROPS = 10, 9  # units of which the strongest crops are shown, and how many of each
# Of a climb. More steps change the pictures of small nets little; with less smoothing than this noise fills them.
CLIMB = dict(steps=120, total_variation=0.6, jitter=2)
EXPLAINED = 6  # items whose answers are explained


def climbed(record):
    """The layers whose units inputs are sought for: the last convolution, the last hidden dense layer, the output."""
    if not is_image(record):
        return []
    hidden = list(probes.activation_profiles(record.network, record.dataset.x_train[:1]))
    return [*last_convolution(record), *hidden[-1:], output_names(record.network)[0]]


def maximal_inputs(record, layer):
    """The inputs that excite the first units of a layer most."""
    width = probes.activations(record.network, record.dataset.x_train[:1], layer)[layer].shape[-1]
    shown = min(width, UNITS)
    found = probes.maximal_inputs(record.network, layer, np.arange(shown), seed=record.seed, **CLIMB)
    classes = record.dataset.classes
    is_output = layer == output_names(record.network)[0] and len(classes) == width
    which = "the units" if shown == width else f"the first {shown} of {width} units"
    return {
        "images": found.inputs, "layer": layer, "activations": found.reached,
        "units": list(classes[:shown]) if is_output else [str(unit) for unit in found.units],
        "title": f"Inputs that excite {which} of {layer} most",
    }  # fmt: skip


def last_convolution(record):
    """The name of the last convolution of an image, as a list; empty without one."""
    return map_layers(record)[-1:]


def strongest_crops(record, layer):
    """The parts of test items that excite the units of a convolution most."""
    sample = record.dataset.x_test[:SAMPLE]
    count = probes.filters(record.network)[layer].shape[0]
    units = np.arange(min(count, ROWS))
    which = "the units" if count <= ROWS else f"the first {ROWS} of {count} units"
    found = probes.strongest_crops(record.network, sample, layer, min(CROPS, len(sample)), units=units)
    return {
        "crops": found.crops, "units": [str(unit) for unit in found.units], "layer": layer,
        "activations": found.activations,
        "title": f"Parts of {len(sample):,} test items that excite {which} of {layer} most",
    }  # fmt: skip


def has_fields(record):
    """Whether there is a layer that sees a part of the image only."""
    return is_image(record) and bool(_fields(record))


def receptive_fields(record):
    """What the unit in the middle of each layer's map sees of the first training item."""
    return {
        "image": record.dataset.x_train[0], "fields": _fields(record),
        "title": "Receptive field of the unit in the middle of each layer",
    }  # fmt: skip


def attributions(record):
    """The pixels on which the answers to some test items hang, by three methods."""
    model, data = record.network, record.dataset
    chosen = of_each_class(data.y_test, EXPLAINED) if data.classes else np.arange(min(EXPLAINED, len(data.x_test)))
    images = data.x_test[chosen]
    answers = record.outputs[chosen]
    classes = answers.argmax(axis=-1) if data.classes else None  # of an ensemble the first network may say otherwise
    maps = {
        "saliency": _grey(probes.saliency(model, images, classes), np.max),
        "integrated gradients": _grey(probes.integrated_gradients(model, images, classes), np.sum),
    }
    if last_convolution(record):
        maps["Grad-CAM"] = probes.grad_cam(model, images, classes)
    names = labels(data, classes if data.classes else answers)
    truth = labels(data, data.y_test[chosen])
    told = [name if name == true else f"{name}\n(is {true})" for name, true in zip(names, truth)]
    return {"images": images, "maps": maps, "labels": told, "title": "The pixels that the answers hang on, test items"}


def _fields(record):
    """{convolution or pooling: the part of the image that the unit in the middle of its map sees}."""
    layers = probes.named_layers(record.network)
    found = {}
    for name, field in probes.receptive_fields(record.network).items():
        if isinstance(layers.get(name), (*CONVOLUTIONS, *POOLINGS)) and not field.is_whole and len(field.size) == 2:
            # One span for each position along an axis.
            (top, bottom), (left, right) = field.box(tuple(len(spans) // 2 for spans in field.spans))
            found[name] = dict(top=top, left=left, height=bottom - top + 1, width=right - left + 1)
    return found


def _grey(maps, over):
    """Maps of coloured images as one value for each pixel."""
    return over(maps, axis=-1) if maps.ndim == 4 else maps
