"""The SavedModel: a folder that TensorFlow and TensorFlow Serving read, without Keras and without kerashw."""

CALL = '''
In Python, from the folder that holds this one:

    import tensorflow as tf

    model = tf.saved_model.load("{folder}")
    answer = model.signatures["serving_default"]({name}=tf.zeros({shape}, tf.{dtype}))
    print(answer["{answer}"])
'''


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
    given = served.model.inputs[0]
    call = CALL.format(
        folder="1", name=served.input_name, shape=(1, *given.shape[1:]), dtype=given.dtype,
        answer="label" if served.classes else "y",
    )  # fmt: skip
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
