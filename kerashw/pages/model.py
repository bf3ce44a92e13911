"""The model a run has made, for its page: its layers, the numerical checks it passed, and its files for others."""

import hashlib
import os

import numpy as np

from kerashw import probes
from kerashw.figures.style import counted, number
from kerashw.pages.blocks import Cell, Code, Facts, Notice, section, table
from kerashw.pages.pictures import take

FORMATS = {  # beside the SavedModel, which is a folder
    "model.keras": "Keras", "model.tflite": "LiteRT", "model.onnx": "ONNX",
}  # fmt: skip


def architecture(kept, found):
    """The section with a row for each layer: its output, its parameters and how much of the input a unit sees."""
    model = kept.model
    layers = probes.named_layers(model)
    shapes = {name: array.shape[1:] for name, array in probes.activations(model, _nothing(model)).items()}
    fields = probes.receptive_fields(model)
    sees_parts = any(not field.is_whole for field in fields.values())
    columns = {
        "layer": list(layers),
        "kind": [type(layer).__name__ for layer in layers.values()],
        "output": [_times(shapes[name]) for name in layers],
        "parameters": [layer.count_params() for layer in layers.values()],
    }
    if sees_parts:
        columns["receptive field"] = [_field(fields.get(name)) for name in layers]
    item = _times(model.input_shape[1:])
    told = f"{counted(model.count_params(), 'parameter')}; an item has {item} value{'' if item == '1' else 's'}."
    return section(
        "architecture", "Architecture", table(columns, note=told), *take(found, "architecture")
    )  # fmt: skip


def checks(kept, found):
    """The section on what was compared with what, and by how much the two differ."""
    metrics = kept.metrics
    made, gradients = metrics["export"], metrics["gradient_check"]
    difference = "not at all" if not made["largest_difference"] else f"by at most {made['largest_difference']:.2g}"
    facts = {"export against Keras": f"the answers of the SavedModel to {counted(made['items_compared'], 'test item')} "
                                     f"differ {difference} from those of the Keras model"}  # fmt: skip
    if gradients:
        best = "; ".join(f"{found['smallest_difference']:.2g} in {precision}, with steps of 1/{number(found['n'])}"
                         for precision, found in gradients.items() if isinstance(found, dict))  # fmt: skip
        facts["gradient check"] = (
            f"finite differences against automatic differentiation, {gradients['layer']}, training item "
            f"{gradients['item']:,}: the largest difference is at best {best}"
        )
    return section("checks", "Numerical checks", Facts(facts), *take(found, "checks"))


def export(kept):
    """The section on the files to use elsewhere: what goes in and comes out, how to load them, sizes and hashes."""
    model, about = kept.model, kept.study["data"]
    given = model.inputs[0]
    name = "images" if given.dtype == "uint8" else "x"
    shape = ", ".join("n" if size is None else str(size) for size in given.shape)
    count = model.output_shape[-1]
    gives = (f"probabilities (float32, (n, {count})), class (int64, (n,)), label (text, (n,))" if about["classes"]
             else f"y (float32, (n, {count}))")  # fmt: skip
    zeros = ", ".join("1" if size is None else str(size) for size in given.shape)
    answer = "label" if about["classes"] else "y"
    example = (
        "import tensorflow as tf\n\n"
        'model = tf.saved_model.load("model/1")\n'
        f'answer = model.signatures["serving_default"]({name}=tf.zeros(({zeros}), tf.{given.dtype}))\n'
        f'print(answer["{answer}"])'
    )
    return section(
        "export", "Use the model",
        Facts({"signature": "serving_default", "takes": f"{name} ({given.dtype}, ({shape}))", "gives": gives}),
        Notice("From Python, in the run's folder, without kerashw:"),
        Code(example),
        _files(kept.run),
    )  # fmt: skip


def _files(run):
    """Every file that holds the model, with what its content must hash to."""
    files = [(path, "SavedModel") for path in sorted(run.saved_model.rglob("*")) if path.is_file()]
    files += [(run.folder / name, kind) for name, kind in FORMATS.items() if (run.folder / name).exists()]
    names = [os.path.relpath(path, run.folder).replace(os.sep, "/") for path, _ in files]
    return table({
        "file": [Cell(name, link=name) for name in names],
        "format": [kind for _, kind in files],
        "bytes": [path.stat().st_size for path, _ in files],
        "SHA-256": [hashlib.sha256(path.read_bytes()).hexdigest() for path, _ in files],
    })  # fmt: skip


def _nothing(model):
    """An item of zeros; what flows through the layers has the same shapes for all."""
    return np.zeros((1, *model.input_shape[1:]), model.inputs[0].dtype)


def _field(field):
    if field is None or field.is_whole:
        return "the whole input"
    return _times(field.size)


def _times(shape):
    return " x ".join(f"{size:,}" for size in shape) or "1"
