"""An optimizer whose rate, momentum, decay and schedule are variables: a compiled step serves any of their values.

Keras's own optimizers write these numbers into the graph, so that each new value is traced and compiled again.
"""

import math

import keras
import tensorflow as tf

from kerashw.rules import RULES


class Adjustable(keras.optimizers.Optimizer):
    """One of Keras's optimizers by name, to be told its numbers before each training.

    The numbers are not among `variables`: these hold what a training has come to, which another may go on from with
    numbers of its own.

    >>> optimizer = Adjustable("sgd")
    >>> numbers = dict(learning_rate=0.5, momentum=0.0, weight_decay=0.0, schedule="constant")
    >>> optimizer.adjust(numbers, steps=10)
    >>> variable = keras.Variable([1.0, 2.0])
    >>> optimizer.apply([tf.constant([2.0, 2.0])], [variable])
    >>> variable.numpy().tolist()
    [0.0, 1.0]
    """

    def __init__(self, kind):
        super().__init__(learning_rate=_Schedule(), name=kind)
        self._rule, self._starts = RULES[kind]
        self._momentum = tf.Variable(0.0, trainable=False)
        self._decay = tf.Variable(0.0, trainable=False)

    def adjust(self, settings, steps):
        """From now on the numbers of these settings hold; `steps` is the length of the whole training."""
        self._learning_rate.adjust(settings["learning_rate"], settings["schedule"], steps)
        self._momentum.assign(settings["momentum"])
        self._decay.assign(settings["weight_decay"])

    def build(self, variables):
        """Slots for the variables of a model, unless they are there."""
        if self.built:
            return
        super().build(variables)
        self._slots = [
            [
                self.add_variable_from_reference(variable, f"slot_{number}", keras.initializers.Constant(start))
                for number, start in enumerate(self._starts)
            ]
            for variable in variables
        ]

    def restart(self):
        """No step has been made: every slot has the value it starts from."""
        self.iterations.assign(0)
        for slots in self._slots:
            for slot, start in zip(slots, self._starts, strict=True):
                slot.assign(tf.fill(slot.shape, tf.cast(start, slot.dtype)))

    def update_step(self, gradient, variable, learning_rate):
        """The variable and its slots after one step by the rule."""
        slots = self._slots[self._get_variable_index(variable)]
        gradient = tf.convert_to_tensor(gradient)  # that of an embedding comes in slices
        rate, momentum, decay, step = (
            tf.cast(number, variable.dtype)
            for number in (learning_rate, self._momentum, self._decay, self.iterations + 1)
        )
        now = tuple(tf.convert_to_tensor(slot.value) for slot in slots)
        change, after = self._rule(now, gradient, rate, momentum, step)
        variable.assign(variable * (1 - decay * rate) + change)
        for slot, value in zip(slots, after, strict=True):
            slot.assign(value)

    def get_config(self):
        """Its name alone: a model that is to be kept gets Keras's own optimizer."""
        return {"kind": self.name}


class _Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that stays, or falls to 0 along half a cosine."""

    def __init__(self):
        self.rate, self.steps = (tf.Variable(number, trainable=False) for number in (0.0, 1.0))
        self.falls = tf.Variable(False, trainable=False)

    def adjust(self, rate, schedule, steps):
        self.rate.assign(rate)
        self.steps.assign(max(steps, 1))
        self.falls.assign(schedule == "cosine")

    def __call__(self, step):
        done = tf.minimum(tf.cast(step, tf.float32) / self.steps, 1.0)
        return tf.where(self.falls, self.rate * 0.5 * (1 + tf.cos(math.pi * done)), self.rate)

    def get_config(self):
        return {}
