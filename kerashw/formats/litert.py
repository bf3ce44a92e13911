"""LiteRT (TensorFlow Lite): one small file for telephones and boards, with the same signature as the SavedModel."""

import re
import warnings

from kerashw.errors import WorkError
from kerashw.silence import silent


def write(served, path):
    """`path` holds the model, its weights as they are: nothing is quantised."""
    import tensorflow as tf

    module = served.module
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)
    refused = None
    with silent():
        try:
            content = converter.convert()
        except Exception as error:  # the converter's own class of error is not public
            refused = WorkError(_reason(str(error)))
    if refused:
        raise refused
    path.write_bytes(content)


def opened(path):
    """What answers items, as many as are given, by TensorFlow's own interpreter."""
    import tensorflow as tf

    # The interpreter is to move to a package of its own, ai-edge-litert, and says so each time.
    with silent(), warnings.catch_warnings(action="ignore", category=UserWarning):
        interpreter = tf.lite.Interpreter(model_content=path.read_bytes())
        interpreter.allocate_tensors()
        serve = interpreter.get_signature_runner("serving_default")
    (given,) = serve.get_input_details()
    return lambda items: serve(**{given: items})


def _reason(text):
    """What the converter would not do, in some words.

    >>> _reason("<unknown>:0: error: 'tf.Qr' op is neither a custom op nor a flex op\\n and more")
    'LiteRT has no operation for tf.Qr, which this model needs.'
    """
    missing = sorted(set(re.findall(r"'(tf\.\w+)' op is neither", text)))
    if missing:
        return f"LiteRT has no operation for {', '.join(missing)}, which this model needs."
    return f"LiteRT's converter refused the model ({next(iter(text.strip().splitlines()), 'no reason given')})."
