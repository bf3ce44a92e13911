"""Any format of a trained model: written aside, opened again, compared with Keras, moved into place, recorded."""

import os
import shutil

import numpy as np

from kerashw.errors import WorkError
from kerashw.formats import keras_file, litert, onnx, saved_model
from kerashw.formats.exports import entry_of, keep, place_of, verify

# Answers may differ so much from the Keras model's: float32 sums in another order.
TOLERANCE = 1e-4

WAYS = {"savedmodel": saved_model, "keras": keras_file, "litert": litert, "onnx": onnx}


def export(run, name, served):
    """What exports.json says of the format, which lies in the run now; it appears there whole or not at all."""
    import tensorflow as tf

    place = place_of(run, name)
    beside, older = (place.with_name(f".{os.getpid()}.{name}") for name in (place.name, f"older.{place.name}"))
    try:
        place.parent.mkdir(exist_ok=True)
        WAYS[name].write(served, beside)
        difference = largest_difference(served, WAYS[name].opened(beside))
        limit = TOLERANCE * max(1.0, float(np.abs(served.expected).max()))
        if not difference <= limit:
            raise WorkError(f"what was written answers differently from Keras, by {difference:.2g}.")
        entry = entry_of(run, name, beside, difference=difference, compared=len(served.items))
        if place.is_dir():  # a folder does not take the place of another, and half of one must not be seen
            os.replace(place, older)
        os.replace(beside, place)
    except WorkError as error:
        raise WorkError(f"{place}: not made, {error}") from None
    except (OSError, tf.errors.OpError) as error:  # TensorFlow has exceptions of its own for a full disk
        reason = str(error).strip().splitlines()[0]
        raise WorkError(f"{place}: could not be written ({reason}); make room, then repeat the command.") from None
    finally:
        _remove(beside)
        _remove(older)
    keep(run, name, entry)
    return entry


def adopt(run, served):
    """What exports.json says of the model.keras that lies in the run; it is opened and compared, but not written."""
    difference = largest_difference(served, keras_file.opened(run.keras_file))
    entry = entry_of(run, "keras", run.keras_file, difference=difference, compared=len(served.items))
    keep(run, "keras", entry)
    return entry


def load_model(run):
    """The Keras model of a run, once its file is found to be the one that was written."""
    verify(run, "keras")
    return keras_file.load_keras(run.keras_file)


def load_format(run, name):
    """A function from items to {name of an output: array}, by a format of a run, its files verified."""
    verify(run, name)
    return WAYS[name].opened(place_of(run, name))


def largest_difference(served, answer):
    """How far the answers are from Keras's own, at most; class and label must fit the probabilities.

    They are asked for one item and for all others, as the number of items is free in every format.
    """
    parts = [answer(items) for items in (served.items[:1], served.items[1:]) if len(items)]
    answers = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    given = answers[served.answer_name]
    if given.shape != served.expected.shape:
        return np.inf
    if "class" in answers:
        named = [served.classes[place] for place in answers["class"]]
        told = [label.decode() if isinstance(label, bytes) else label for label in answers["label"]]
        chosen = given[np.arange(len(given)), answers["class"]]
        if named != told or not (chosen >= given.max(axis=1) - TOLERANCE).all():
            return np.inf
    return float(np.abs(given - served.expected).max())


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
