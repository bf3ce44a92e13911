"""The arithmetic floor: the operations of an epoch, counted, over the rate of a large matrix product, measured.

An addition, multiplication, division, comparison, root or exponential counts as one operation.
"""

import statistics
import time

SIGMOID, SIGMOID_SLOPE = 4, 3  # negate, exponential, add, divide; 1 - s, times s, times the gradient
ADAM = 12  # per weight: 3 for the mean, 4 for the mean square, 4 for the step, 1 to add it
LOSS, LOSS_SLOPE = 3, 2  # per output: difference, square, sum; twice the difference, over the size of the batch
SIDE = 3000  # rows and columns of the measured product


def forward(widths, items):
    """Operations that give the outputs of so many items: products, biases, and sigmoids but for the last layer.

    >>> forward((1, 2, 1), items=1)  # 4 + 2 + 8 for two units, 4 + 1 for the output
    19
    """
    pairs = list(zip(widths, widths[1:]))
    products = sum(2 * before * after + after for before, after in pairs)
    return items * (products + SIGMOID * sum(widths[1:-1]))


def backward(widths, items):
    """Operations that give all gradients from those of the outputs; the first layer's inputs need none.

    >>> backward((1, 2, 1), items=1)  # 4 + 1 + 4 at the output; 6 at the sigmoids; 4 + 2 at the first layer
    21
    """
    pairs = list(zip(widths, widths[1:]))
    of_weights = sum(2 * before * after + after for before, after in pairs)
    of_inputs = sum(2 * before * after for before, after in pairs[1:])
    return items * (of_weights + of_inputs + SIGMOID_SLOPE * sum(widths[1:-1]))


def epoch(widths, items, batch_size, held):
    """Operations of one epoch by Adam: every item forward and back, an update per batch, the held-out items forward.

    >>> epoch((1, 128, 64, 1), items=75, batch_size=10, held=25)
    5150417
    """
    steps = -(-items // batch_size)
    weights = sum((before + 1) * after for before, after in zip(widths, widths[1:]))
    outputs = widths[-1]
    training = forward(widths, items) + backward(widths, items) + items * outputs * (LOSS + LOSS_SLOPE)
    return training + steps * weights * ADAM + forward(widths, held) + held * outputs * LOSS


def product_rate(repeats):
    """Operations per second of a large float32 matrix product by TensorFlow, on all cores: the median of several."""
    import tensorflow as tf

    left, right = tf.random.normal((SIDE, SIDE), seed=0), tf.random.normal((SIDE, SIDE), seed=1)
    tf.matmul(left, right).numpy()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        tf.matmul(left, right).numpy()
        seconds.append(time.perf_counter() - began)
    return 2 * SIDE**3 / statistics.median(seconds)
