"""What Keras lacks: augmentation as one layer at work in training only, and a leaky ReLU with the slope of 0.01.

Augmentation is one affine transform per image, then brightness:

    inputs = keras.Input((28, 28, 1), dtype="uint8")
    x = augment_layer(Augment(rotation=20, zoom=0.1))(inputs)
    x = keras.layers.Rescaling(1 / 255)(x)

Directions, as seen on a screen with the first row on top: a positive rotation turns counter-clockwise (90
degrees is `np.rot90`), a positive width_shift moves right, a positive height_shift moves down, a zoom above 1
enlarges, a positive shear leans the image like italic type (the top goes right, the bottom left). Everything
turns and grows about the centre of the image, ((width - 1) / 2, (height - 1) / 2). An image is first flipped,
then zoomed, sheared, rotated and last shifted, so a shift is along the axes of the result.
"""

import math

import keras
from keras import ops

from kerashw.augment import Augment
from kerashw.errors import UsageError


def affine_matrices(
    height,
    width,
    *,
    rotation=0.0,
    width_shift=0.0,
    height_shift=0.0,
    zoom=1.0,
    shear=0.0,
    horizontal_flip=False,
    vertical_flip=False,
):
    """The transforms, an array (n, 8), that `keras.ops.image.affine_transform` takes to move n images as told.

    Each argument is one value per image, of shape (n,), or one for all. Rotation and shear are in degrees, shifts
    in fractions of the width and the height, zoom is a factor, flips are booleans; directions are those of this
    module. A transform takes a point of the result to where its colour stands in the image:
    x = m[0] * column + m[1] * row + m[2], y = m[3] * column + m[4] * row + m[5].

    >>> ops.convert_to_numpy(affine_matrices(10, 10, width_shift=0.2)).tolist()
    [[1.0, 0.0, -2.0, 0.0, 1.0, 0.0, 0.0, 0.0]]
    """
    rotation, shear, zoom, width_shift, height_shift = (
        ops.cast(value, "float32") for value in (rotation, shear, zoom, width_shift, height_shift)
    )
    # Tensors where the model leaves the size of its images open.
    height, width = ops.cast(height, "float32"), ops.cast(width, "float32")
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    cosine, sine = ops.cos(rotation * (math.pi / 180)), ops.sin(rotation * (math.pi / 180))
    lean = ops.tan(shear * (math.pi / 180))
    # The way back from the result: undo the rotation, the shear, then zoom and flip as one factor per axis.
    scale_x = ops.where(horizontal_flip, -1.0, 1.0) / zoom
    scale_y = ops.where(vertical_flip, -1.0, 1.0) / zoom
    xx, xy = scale_x * (cosine + lean * sine), scale_x * (lean * cosine - sine)
    yx, yy = scale_y * sine, scale_y * cosine
    # The point of the result that shows the centre of the image.
    to_x, to_y = centre_x + width_shift * width, centre_y + height_shift * height
    x0 = centre_x - xx * to_x - xy * to_y
    y0 = centre_y - yx * to_x - yy * to_y
    zero = ops.reshape(ops.zeros_like(x0 + y0), (-1,))  # of shape (n,) whichever arguments were arrays
    return ops.stack([value + zero for value in (xx, xy, x0, yx, yy, y0, zero, zero)], axis=1)


@keras.saving.register_keras_serializable(package="kerashw")
class Augmentation(keras.layers.Layer):
    """Images varied as the knobs of `Augment` say while `training` is True, and only cast otherwise.

    Takes (n, height, width) or (n, height, width, channels), uint8 or float, with pixels from 0 to 255, and gives
    the same shape and range in the layer's compute dtype, training or not; so it stands before any `Rescaling`.
    Every image of every call gets its own draws, the same for all its channels. The same `seed`, or without one
    the same `keras.utils.set_random_seed`, gives the same draws; those of a knob do not depend on the other knobs.

    Without `training=True` the layer does nothing: `model(x)`, `predict`, `evaluate`, a feature extractor and
    every exported format give the same answer each time.

    XLA has no kernel for the transform (`ImageProjectiveTransformV3`), therefore `supports_jit` is False: Keras
    then compiles no model that holds this layer by XLA, and says so if it was told to.

    >>> images = ops.cast([[[0, 1, 2, 3], [4, 5, 6, 7]]], "uint8")
    >>> layer = Augmentation(horizontal_flip=True, rotation=5, seed=1)
    >>> ops.convert_to_numpy(layer(images)).tolist()
    [[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]]
    >>> tuple(layer(images, training=True).shape)
    (1, 2, 4)
    """

    def __init__(self, *, seed=None, name=None, dtype=None, trainable=True, **knobs):
        # Without autocast, float32 images stay as they are until the end under mixed precision.
        super().__init__(name=name, dtype=dtype, trainable=trainable, autocast=False)
        self.augment = Augment(**knobs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_jit = False

    def build(self, input_shape):
        if len(input_shape) not in (3, 4):
            raise UsageError(
                f"Augmentation: got images of shape {tuple(input_shape)}, expected (n, height, width) or "
                "(n, height, width, channels); give a single image as images[None]."
            )

    def call(self, images, training=False):
        if training:
            images = self._vary(ops.cast(images, "float32"))
        return ops.cast(images, self.compute_dtype)

    def _vary(self, images):
        """The float32 images, moved and lit by fresh draws."""
        augment = self.augment
        # One row of eight draws per image, all used or not, keeps the draws of a knob free of the other knobs.
        shape = (ops.shape(images)[0], 8)
        draws = keras.random.uniform(shape, -1, 1, dtype="float32", seed=self.seed_generator)
        rotation, width_shift, height_shift, zoom, shear, left, up, brightness = ops.unstack(draws, 8, axis=1)
        moves = {
            "rotation": rotation * augment.rotation,
            "width_shift": width_shift * augment.width_shift,
            "height_shift": height_shift * augment.height_shift,
            "zoom": 1 + zoom * augment.zoom,
            "shear": shear * augment.shear,
            "horizontal_flip": ops.logical_and(left < 0, augment.horizontal_flip),
            "vertical_flip": ops.logical_and(up < 0, augment.vertical_flip),
        }
        if any(getattr(augment, knob) for knob in moves):
            images = self._move(images, moves)
        if augment.brightness:
            one_per_image = (-1,) + (1,) * (len(images.shape) - 1)
            images = ops.clip(images * ops.reshape(1 + brightness * augment.brightness, one_per_image), 0, 255)
        return images

    def _move(self, images, moves):
        plain = len(images.shape) == 3
        if plain:
            images = ops.expand_dims(images, -1)
        _, height, width, _ = ops.shape(images)
        images = ops.image.affine_transform(
            images,
            affine_matrices(height, width, **moves),
            interpolation="bilinear",
            fill_mode=self.augment.fill_mode,
            fill_value=self.augment.fill_value,
            data_format="channels_last",
        )
        return ops.squeeze(images, -1) if plain else images

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), **self.augment.settings(), "seed": self.seed}


def augment_layer(augment, seed=None):
    """The layer that does what an `Augment` says.

    >>> augment_layer(Augment(rotation=20), seed=0).augment.rotation
    20
    """
    return Augmentation(seed=seed, **augment.settings())


@keras.saving.register_keras_serializable(package="kerashw")
def leaky_relu(x):
    """x where it is positive, x / 100 elsewhere: the slope PyTorch has by default; Keras's own is 0.2.

    >>> leaky_relu(keras.ops.array([-1.0, 2.0])).numpy().round(2).tolist()
    [-0.009999999776482582, 2.0]
    """
    return ops.leaky_relu(x, negative_slope=0.01)
