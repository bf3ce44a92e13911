"""How long a model takes for one item: what someone waits for who asks it a single question."""

import time

CALLS = 100  # of which the median is taken: a processor that is busy otherwise delays few of them
WARM = 5  # calls before: the first is traced


def latency_of(model):
    """Milliseconds that the compiled model takes for one item, to two digits: more would be chance.

    It depends on the structure, not on the weights, so that any model of the same structure will do.

    >>> from kerashw.models import mlp
    >>> 0 < latency_of(mlp(input_shape=(2,), outputs=1, hidden=(4,))) < 1000
    True
    """
    import numpy as np
    import tensorflow as tf

    item = tf.zeros((1, *model.input_shape[1:]), model.inputs[0].dtype)
    answer = tf.function(lambda x: model(x, training=False)).get_concrete_function(item)
    times = []
    for _ in range(WARM + CALLS):
        began = time.perf_counter()
        answer(item)
        times.append(time.perf_counter() - began)
    return float(f"{1000 * np.median(times[WARM:]):.2g}")
