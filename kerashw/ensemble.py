"""Several trained networks as one Keras model that answers with the mean of their answers, and the way back to one."""

NAME = "ensemble"


def ensemble(networks, *, is_classification):
    """A Keras model whose values are the mean of the networks' values, or whose logits give their mean probabilities.

    It is made of Keras's own layers, so its file needs nothing of kerashw beyond what the networks need.

    >>> import numpy as np
    >>> from kerashw.models import linear
    >>> networks = [linear(input_shape=(1,), outputs=1) for _ in range(2)]
    >>> for network, value in zip(networks, (1.0, 3.0)):
    ...     network.set_weights([np.array([[value]]), np.array([0.5])])
    >>> ensemble(networks, is_classification=False).predict(np.array([[10.0]]), verbose=0).tolist()
    [[20.5]]
    """
    import keras

    (given,) = networks[0].inputs
    inputs = keras.Input(given.shape[1:], dtype=given.dtype, name=given.name)
    answers = []
    for number, network in enumerate(networks, 1):
        network.name = f"network_{number}"  # layers of a model have different names
        answers.append(network(inputs))
    if not is_classification:
        return keras.Model(inputs, keras.layers.Average(name="mean")(answers), name=NAME)
    # Logits that differ from the logarithm of the mean by a constant, which leaves probabilities as they are.
    known = [keras.layers.Activation("log_softmax", name=f"chances_{number}")(one) for number, one in enumerate(answers, 1)]
    stacked = keras.ops.stack(known, axis=1)
    return keras.Model(inputs, keras.ops.logsumexp(stacked, axis=1), name=NAME)


def networks_of(model):
    """The networks of an ensemble, in their order; of any other model itself alone."""
    import keras

    within = [layer for layer in model.layers if isinstance(layer, keras.Model) and layer.name.startswith("network_")]
    return within if model.name == NAME and within else [model]
