"""How long a model takes for one item: what someone waits for who asks it a single question."""

import time

ROUNDS, CALLS = 15, 20  # of the calls of a round the median is taken, and of the rounds the least disturbed
PAUSE = 0.005  # seconds between two rounds: what else a processor does comes in bursts

_measured = {}  # milliseconds by what is computed: models that compute the same take as long, however they are trained


def latency_of(model):
    """Milliseconds that the compiled model takes for one item, to two digits: more would be chance.

    It depends on the structure, not on the weights, so that any model of the same structure will do; of each structure
    one is measured.

    >>> from kerashw.models import mlp
    >>> 0 < latency_of(mlp(input_shape=(2,), outputs=1, hidden=(4,))) < 1000
    True
    """
    import tensorflow as tf

    item = tf.zeros((1, *model.input_shape[1:]), model.inputs[0].dtype)
    answer = tf.function(lambda x: model(x, training=False)).get_concrete_function(item)
    computed = tuple((one.type, *(str(out.shape) for out in one.outputs)) for one in answer.graph.get_operations())
    if computed not in _measured:
        _measured[computed] = _milliseconds(answer, item)
    return _measured[computed]


def _milliseconds(answer, item):
    import numpy as np

    medians = []
    for _ in range(ROUNDS):
        time.sleep(PAUSE)
        times = []
        for _ in range(CALLS):
            began = time.perf_counter()
            answer(item)
            times.append(time.perf_counter() - began)
        medians.append(np.median(times))
    return float(f"{1000 * min(medians):.2g}")
