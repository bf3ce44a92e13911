"""The model a run has made, for its page: its layers, the numerical checks it passed, and its files for others."""

import numpy as np

from kerashw import probes
from kerashw.figures.style import counted, number, times
from kerashw.formats import Served, entries
from kerashw.pages.blocks import Cell, Code, Facts, Notice, section, table
from kerashw.pages.pictures import take

FORMATS = {"savedmodel": "SavedModel", "keras": "Keras", "litert": "LiteRT", "onnx": "ONNX"}


def architecture(kept, found):
    """The section with a row for each layer: its output, its parameters and how much of the input a unit sees."""
    model, count = kept.networks[0], len(kept.networks)
    layers = probes.named_layers(model)
    shapes = {name: array.shape[1:] for name, array in probes.activations(model, _nothing(model)).items()}
    fields = probes.receptive_fields(model)
    sees_parts = any(not field.is_whole for field in fields.values())
    columns = {
        "layer": list(layers),
        "kind": [type(layer).__name__ for layer in layers.values()],
        "output": [times(shapes[name]) for name in layers],
        "parameters": [layer.count_params() for layer in layers.values()],
    }
    if sees_parts:
        columns["receptive field"] = [_field(fields.get(name)) for name in layers]
    item = times(model.input_shape[1:])
    told = f"{counted(model.count_params(), 'parameter')}; an item has {item} value{'' if item == '1' else 's'}."
    if count > 1:
        told += f" The model is {count} such networks, {kept.model.count_params():,} parameters in all."
    return section(
        "architecture", "Architecture", table(columns, note=told), *take(found, "architecture")
    )  # fmt: skip


def checks(kept, found):
    """The section on what was compared with what, and by how much the two differ."""
    gradients = kept.metrics["gradient_check"]
    facts = {
        f"{FORMATS[name]} against Keras": f"the answers of the file to {counted(made['items_compared'], 'test item')} "
        f"differ {_by(made['largest_difference'])} from those of the model that was trained"
        for name, made in entries(kept.run).items()
    }
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
    shape = ", ".join("n" if size is None else str(size) for size in given.shape)
    count = model.output_shape[-1]
    gives = (f"probabilities (float32, (n, {count})), class (int64, (n,)), label (text, (n,))" if about["classes"]
             else f"y (float32, (n, {count}))")  # fmt: skip
    served = Served(model, tuple(about["classes"]), _nothing(model))
    return section(
        "export", "Use the model",
        Facts({"signature": "serving_default", "takes": f"{served.input_name} ({given.dtype}, ({shape}))", "gives": gives}),
        Notice("From Python, in the run's folder, without kerashw:"),
        Code(served.example("model/1")),
        _files(kept.run),
    )  # fmt: skip


def _files(run):
    """Every file that holds the model, with what its content must hash to."""
    files = [(path, FORMATS[name], digest) for name, made in entries(run).items()
             for path, digest in made["sha256"].items()]  # fmt: skip
    return table({
        "file": [Cell(path, link=path) for path, _, _ in files],
        "format": [kind for _, kind, _ in files],
        "bytes": [file.stat().st_size if (file := run.folder / path).exists() else "missing" for path, _, _ in files],
        "SHA-256": [digest for _, _, digest in files],
    })  # fmt: skip


def _by(difference):
    return f"by at most {difference:.2g}" if difference else "not at all"


def _nothing(model):
    """An item of zeros; what flows through the layers has the same shapes for all."""
    return np.zeros((1, *model.input_shape[1:]), model.inputs[0].dtype)


def _field(field):
    if field is None or field.is_whole:
        return "the whole input"
    return times(field.size)
