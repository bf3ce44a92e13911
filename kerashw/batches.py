"""Items in batches: pixels stay uint8 in memory until their batch is gathered.

The order of an epoch depends on the seed and the number of the epoch alone, wherever the training began.
"""

import numpy as np

EVALUATION_BATCH = 1024


def epoch_order(seed, epoch, indices):
    """The items of one epoch in the order in which that seed trains on them.

    >>> sorted(epoch_order(0, 0, np.arange(3))) == sorted(epoch_order(0, 1, np.arange(3)))
    True
    """
    return np.random.default_rng((seed, epoch)).permutation(indices)


def batches(x, y, order, batch_size):
    """A tf.data.Dataset of one epoch; `order`, a tf.Variable of indices, is read each time it is iterated."""
    import tensorflow as tf

    x, y = tf.constant(x), tf.constant(y)
    steps = -(-order.shape[0] // batch_size)

    def of_epoch(_):
        now = order.read_value()
        return tf.data.Dataset.range(steps).map(lambda step: now[step * batch_size : (step + 1) * batch_size])

    chosen = tf.data.Dataset.range(1).flat_map(of_epoch)
    gathered = chosen.map(lambda some: (tf.gather(x, some), tf.gather(y, some)), num_parallel_calls=2)
    return _untuned(gathered.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(4))


def in_order(x, y, indices):
    """A tf.data.Dataset of the chosen items in their own order, in large batches, for evaluation."""
    import tensorflow as tf

    x, y = tf.constant(x[indices]), tf.constant(y[indices])
    return _untuned(tf.data.Dataset.from_tensor_slices((x, y)).batch(EVALUATION_BATCH))


def _untuned(dataset):
    """The dataset without TensorFlow's tuner of pipelines: there is nothing to tune, and it costs seconds.

    Its thread looks at a pipeline after 10 ms, and then after twice as long each time. An iterator that ends, as one
    does with each epoch, may wait for the next look: as long again as the epoch took.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
