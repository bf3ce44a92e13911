"""A trained model as every format serves it: what goes in, what comes out by name, and what is to be said of it."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from kerashw.evaluation import predict, probabilities

COMPARED_ITEMS = 256  # real inputs on which what was written is compared with the Keras model


@dataclass(frozen=True, eq=False)
class Served:
    """A Keras model with what its files have to know: names of classes, real items to try it on, what it learned from.

    Raw items go in, `images` (uint8, the size of the data) or `x` (float32), any number of them. What comes out is
    `probabilities`, `class` and `label`, or `y`. Augmentation and dropout are off.
    """

    model: object
    classes: tuple[str, ...]  # () for regression
    items: np.ndarray = field(repr=False)
    data: str = "data of its own"
    stand_in: str | None = None  # what stood in for the real data, if anything did

    @classmethod
    def of(cls, model, dataset):
        """The model of a data set, with some of its test items."""
        stand_in = dataset.source.removeprefix("stand-in: ") if dataset.stand_in else None
        items = dataset.x_test[:COMPARED_ITEMS].astype(model.inputs[0].dtype, copy=False)  # as one's own model takes them
        return cls(model, dataset.classes, items, dataset.name, stand_in)

    @property
    def input_name(self):
        """What the input is called: images for pixels, x for numbers."""
        return "images" if self.model.inputs[0].dtype == "uint8" else "x"

    @property
    def answer_name(self):
        """What is compared with the Keras model: probabilities of classes, or the values y."""
        return "probabilities" if self.classes else "y"

    @cached_property
    def expected(self):
        """The probabilities, or y, that Keras itself answers to the items."""
        outputs = predict(self.model, self.items)
        return probabilities(outputs) if self.classes else outputs

    @cached_property
    def module(self):
        """A tf.Module with all that the graph formats hold: weights, `serve`, and `classes`, their names in order."""
        import tensorflow as tf

        given = self.model.inputs[0]

        @tf.function(input_signature=[tf.TensorSpec(given.shape, given.dtype, name=self.input_name)])
        def serve(items):
            outputs = self.model(items, training=False)  # Keras's own export would trace augmentation switched on
            if not self.classes:
                return {"y": tf.identity(outputs, "y")}
            chosen = tf.argmax(outputs, axis=-1)
            label = tf.gather(tf.constant(self.classes), chosen)
            return {"probabilities": tf.nn.softmax(outputs), "class": chosen, "label": label}

        module = tf.Module()
        module.weights = [variable.value for variable in self.model.variables]
        module.serve = serve
        if self.classes:
            module.classes = tf.function(lambda: {"labels": tf.constant(self.classes)}, input_signature=[])
        return module

    def example(self, folder):
        """A program that asks the SavedModel in that folder, which needs TensorFlow alone."""
        given = self.model.inputs[0]
        shape = tuple(1 if size is None else size for size in given.shape)
        return (
            "import tensorflow as tf\n\n"
            f'model = tf.saved_model.load("{folder}")\n'
            f'answer = model.signatures["serving_default"]({self.input_name}=tf.zeros({shape}, tf.{given.dtype}))\n'
            f'print(answer["{"label" if self.classes else "y"}"])'
        )

    @property
    def description(self):
        """What a person has to know to use the model, as lines of text.

        >>> from kerashw.models import mlp
        >>> model = mlp(input_shape=(2,), outputs=1)
        >>> print(Served(model, (), np.zeros((1, 2), "float32"), "tides").description)
        A regression of tides: the Keras model mlp, 8,705 parameters, trained by kerashw.
        Input:
          x              float32  (n, 2)       numbers as the data have them, not scaled
        Outputs:
          y              float32  (n, 1)       the predicted values
        """
        task = "classifier" if self.classes else "regression"
        parameters = f"{self.model.count_params():,} parameters"
        lines = [f"A {task} of {self.data}: the Keras model {self.model.name}, {parameters}, trained by kerashw."]
        if self.stand_in:
            lines.append(f"TRAINED ON STAND-IN DATA, {self.stand_in}: says nothing about the real data.")
        given, pixels = self.model.inputs[0], self.input_name == "images"
        takes = "pixels as a file holds them, 0 to 255" if pixels else "numbers as the data have them, not scaled"
        lines += ["Input:", _line(self.input_name, given.dtype, given.shape[1:], takes), "Outputs:"]
        gives = self.model.output_shape[1:]
        if not self.classes:
            return "\n".join([*lines, _line("y", "float32", gives, "the predicted values")])
        return "\n".join([
            *lines,
            _line("probabilities", "float32", gives, "of the classes in their order; they add up to 1"),
            _line("class", "int64", (), "the place of the most probable class, counted from 0"),
            _line("label", "string", (), "its name"),
            "Classes:", *(f"  {place:<3} {name}" for place, name in enumerate(self.classes)),
        ])  # fmt: skip


def _line(name, dtype, shape, meaning):
    shape = f"({', '.join(map(str, ('n', *shape)))})"
    return f"  {name:<13}  {dtype:<7}  {shape:<11}  {meaning}"
