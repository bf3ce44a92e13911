"""The winner as files others can use: model.keras and a SavedModel, each loaded again and compared."""

import os
import shutil

import numpy as np

from kerashw.errors import WorkError
from kerashw.evaluation import predict, probabilities

# Outputs of the SavedModel may differ so much from the Keras model's: float32 sums in another order.
TOLERANCE = 1e-4


def save_keras(model, path):
    """`path` holds the model; it appears there whole or not at all."""
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        model.save(beside)
        os.replace(beside, path)
    except OSError as error:
        raise _not_written(path, error) from None
    finally:
        beside.unlink(missing_ok=True)


def load_keras(path):
    """The model in a .keras file, without running code from it."""
    import keras

    import kerashw.layers  # noqa: F401  its layers are registered by name

    try:
        return keras.models.load_model(path, safe_mode=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WorkError(f"{path}: cannot be loaded ({reason}); repeat the tune command with --overwrite.") from None


def save_saved_model(model, folder, *, classes, sample):
    """A SavedModel that takes what a person has and answers by name; returns the largest difference to Keras.

    The signature `serving_default` takes `images` (uint8, the raw size) or `x` (float32) and gives
    `probabilities`, `class` and `label`, or `y`. Augmentation and dropout are off in it. It is loaded again and
    compared with the model on `sample` before it appears in `folder`.
    """
    import tensorflow as tf

    beside = folder.with_name(f".{os.getpid()}.{folder.name}")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        _write(model, beside, classes)
        difference = _difference(model, beside, classes, sample)
        if not difference <= TOLERANCE:
            raise WorkError(f"{folder}: the exported model answers differently from Keras, by {difference:.2g}.")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(beside, folder)
    except (OSError, tf.errors.OpError) as error:  # TensorFlow has exceptions of its own for a full disk
        raise _not_written(folder, error) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return difference


def _not_written(path, error):
    reason = str(error).strip().splitlines()[0]
    return WorkError(f"{path}: could not be written ({reason}); make room, then repeat the command.")


def input_name(model):
    """What the signature calls its input: images for pixels, x for numbers."""
    return "images" if model.inputs[0].dtype == "uint8" else "x"


def _write(model, folder, classes):
    import keras
    import tensorflow as tf

    given = model.inputs[0]
    name = input_name(model)

    @tf.function(input_signature=[tf.TensorSpec(given.shape, given.dtype, name=name)])
    def serve(items):
        outputs = model(items, training=False)  # Keras itself would trace augmentation switched on
        if not classes:
            return {"y": tf.identity(outputs, "y")}
        chosen = tf.argmax(outputs, axis=-1)
        return {
            "probabilities": tf.nn.softmax(outputs, name="probabilities"),
            "class": chosen,
            "label": tf.gather(tf.constant(classes), chosen),
        }

    serve(tf.zeros((1, *given.shape[1:]), given.dtype))
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", serve)
    archive.write_out(str(folder), verbose=False)


def _difference(model, folder, classes, sample):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    answers = loaded.signatures["serving_default"](**{input_name(model): tf.constant(sample)})
    outputs = predict(model, sample)
    expected = probabilities(outputs) if classes else outputs
    return float(np.abs(answers["probabilities" if classes else "y"].numpy() - expected).max())
