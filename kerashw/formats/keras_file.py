"""The .keras file: the model itself, to train on or to look into; read without running code from it."""

from kerashw.errors import WorkError
from kerashw.evaluation import probabilities


def write(served, path):
    """`path` holds the model."""
    served.model.save(path)


def opened(path):
    """What answers items by the model in the file, which does not tell logits from values: they come as both."""
    model = load_keras(path)

    def answer(items):
        outputs = model(items, training=False).numpy()
        return {"probabilities": probabilities(outputs), "y": outputs}

    return answer


def load_keras(path):
    """The model in a .keras file; its layers are Keras's or ours, and no code in it is run."""
    import keras

    import kerashw.layers  # noqa: F401  its layers are registered by name

    try:
        return keras.models.load_model(path, safe_mode=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().splitlines()[0].split(". ")[0]  # the next sentence tells how to be unsafe
        raise WorkError(f"{path}: cannot be loaded ({reason}); repeat the tune command with --overwrite.") from None
