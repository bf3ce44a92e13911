"""ONNX: one file that most runtimes outside of TensorFlow read; its packages are the extra `onnx`."""

import importlib.util
import json
import logging

from kerashw.errors import WorkError

PACKAGES = ("onnx", "onnxruntime", "tf2onnx")


def write(served, path):
    """`path` holds the model; its metadata hold the names of the classes and what goes in and comes out."""
    onnx, _, tf2onnx = _packages()
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it cannot do is told below, in one line
    function = served.module.serve.get_concrete_function()
    # Told the names itself, tf2onnx takes small constants of the graph for inputs.
    inputs = [f"{served.input_name}:0"]
    outputs = dict(zip(sorted(function.structured_outputs), [tensor.name for tensor in function.outputs]))
    renamed = {inputs[0]: served.input_name, **{tensor: name for name, tensor in outputs.items()}}
    try:
        graph = tf2onnx.tf_loader.from_function(function, inputs, list(outputs.values()))
        model, _ = tf2onnx.convert.from_graph_def(
            graph, name=served.model.name, input_names=inputs, output_names=list(outputs.values()),
            tensors_to_rename=renamed,
        )  # fmt: skip
    except Exception as error:  # it has no class of errors of its own
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise WorkError(f"tf2onnx refused the model ({reason}).") from None
    standard = {entry.domain for entry in model.opset_import}
    missing = sorted({node.op_type for node in model.graph.node
                      if node.domain not in standard or not onnx.defs.has(node.op_type, node.domain)})  # fmt: skip
    if missing:
        raise WorkError(f"ONNX has no operation for {', '.join(missing)}, which this model needs.")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    model.doc_string = served.description
    onnx.helper.set_model_props(model, {"classes": json.dumps(served.classes, ensure_ascii=False)})
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def opened(path):
    """What answers items by ONNX Runtime on the processor."""
    _, onnxruntime, _ = _packages()
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    names = [output.name for output in session.get_outputs()]
    return lambda items: dict(zip(names, session.run(names, {given.name: items})))


def lacking():
    """Which of the packages that ONNX needs are not installed, and what to do, in one phrase; None if all are there."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    return f"ONNX needs {', '.join(missing)}, not installed here: pip install {' '.join(PACKAGES)}" if missing else None


def _packages():
    """The three packages; a WorkError names those that are not installed."""
    if told := lacking():
        raise WorkError(told)
    return [importlib.import_module(name) for name in PACKAGES]
