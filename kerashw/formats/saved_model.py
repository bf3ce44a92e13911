"""The SavedModel: a folder that TensorFlow and TensorFlow Serving read, without Keras and without kerashw."""

import textwrap


def write(served, folder):
    """`folder` holds the SavedModel, and in assets.extra/README.txt what it takes and gives.

    The signature `serving_default` answers; `classes`, where there are some, gives their names in order.
    """
    import tensorflow as tf

    module = served.module
    signatures = {"serving_default": module.serve}
    if served.classes:
        signatures["classes"] = module.classes
    tf.saved_model.save(module, str(folder), signatures=signatures)
    call = f"\nIn Python, from the folder that holds this one:\n\n{textwrap.indent(served.example('1'), '    ')}\n"
    extra = folder / "assets.extra"  # TensorFlow leaves it alone
    extra.mkdir()
    (extra / "README.txt").write_text(f"{served.description}\n{call}", encoding="utf-8")


def opened(folder):
    """What answers items by the signature `serving_default`."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))  # its signatures die with it, so `answer` keeps it
    serve = loaded.signatures["serving_default"]
    (given,) = serve.structured_input_signature[1]

    def answer(items):
        assert loaded is not None
        return {name: value.numpy() for name, value in serve(**{given: tf.constant(items)}).items()}

    return answer
