"""Receptive fields worked out from the layers against what the derivatives of real models show, and crops of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerashw.errors import UsageError
from kerashw.models import cnn, mlp
from kerashw.probes import ReceptiveField, activations, receptive_fields, strongest_crops

layers = keras.layers


def chain(*parts, shape=(19, 16, 2)):
    return keras.Sequential([keras.Input(shape), *parts])


def branches(merge):
    inputs = keras.Input((20, 20, 2))
    wide = layers.Conv2D(3, 5, padding="same", strides=2)(inputs)
    narrow = layers.Conv2D(3, 1, strides=2)(inputs)
    x = merge([wide, narrow])
    return keras.Model(inputs, layers.Conv2D(2, 3)(x))


def encoder_and_decoder():
    inputs = keras.Input((16, 16, 2))
    down = layers.Conv2D(3, 3, padding="same", strides=2)(inputs)
    up = layers.Conv2DTranspose(2, 3, strides=2, padding="same")(down)
    return keras.Model(inputs, layers.Concatenate()([up, layers.Conv2D(2, 3, padding="same")(inputs)]))


def nested():
    inner = chain(layers.Conv2D(2, 3, strides=2, padding="same"), layers.AveragePooling2D(2), shape=(19, 16, 2))
    inputs = keras.Input((19, 16, 2))
    return keras.Model(inputs, layers.Conv2D(2, 2)(inner(layers.ZeroPadding2D(0)(inputs))))


def excitation():
    """Channels weighted by what the whole image says, as in EfficientNet."""
    inputs = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3)(inputs)
    weight = layers.Reshape((1, 1, 4))(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Multiply()([x, layers.Conv2D(4, 1)(weight)]))


NETS = {
    "valid": lambda: chain(layers.Conv2D(2, 3), layers.AveragePooling2D(2), layers.Conv2D(2, (3, 2))),
    "same": lambda: chain(layers.Conv2D(2, 4, padding="same"), layers.Conv2D(2, 3, padding="same")),
    "same with strides": lambda: chain(
        layers.Conv2D(2, 3, strides=2, padding="same"), layers.Conv2D(2, 5, strides=(3, 2), padding="same")),
    "strides that leave pixels over": lambda: chain(
        layers.Conv2D(2, 4, strides=3), layers.Conv2D(2, 3, padding="same")),
    "strides wider than the kernel": lambda: chain(
        layers.Conv2D(2, 1, strides=3), layers.Conv2D(2, 2, padding="same")),
    "dilated": lambda: chain(
        layers.Conv2D(2, 3, dilation_rate=2), layers.Conv2D(2, 3, dilation_rate=2, padding="same")),
    "pooling, same": lambda: chain(layers.AveragePooling2D(3, strides=2, padding="same"), layers.Conv2D(2, 2)),
    "largest of": lambda: chain(layers.MaxPooling2D(2), layers.Conv2D(2, 3), layers.MaxPooling2D(2)),
    "padded": lambda: chain(layers.ZeroPadding2D(((0, 1), (2, 3))), layers.Conv2D(2, 3, strides=2)),
    "cropped, then padded": lambda: chain(
        layers.Cropping2D(((1, 2), (3, 0))), layers.ZeroPadding2D(4), layers.Conv2D(2, 3)),
    "depthwise and separable": lambda: chain(
        layers.DepthwiseConv2D(3, padding="same"), layers.SeparableConv2D(2, 3, strides=2)),
    "upsampled": lambda: chain(layers.Conv2D(2, 3, strides=2), layers.UpSampling2D(2), layers.Conv2D(2, 3)),
    "upsampled softly": lambda: chain(
        layers.AveragePooling2D(3), layers.UpSampling2D((2, 3), interpolation="bilinear"), layers.Conv2D(2, 2)),
    "upsampled by three, twice": lambda: chain(
        layers.AveragePooling2D(4), layers.UpSampling2D(3), layers.Conv2D(2, 2), layers.UpSampling2D(3)),
    "transposed": lambda: chain(
        layers.Conv2D(2, 3, strides=3), layers.Conv2DTranspose(2, 4, strides=2), layers.Conv2DTranspose(2, 3)),
    "transposed to an odd size": lambda: chain(
        layers.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=0),
        layers.Conv2DTranspose(2, 4, strides=3, padding="same", output_padding=1), shape=(5, 6, 2)),
    "transposed, with room left over": lambda: chain(
        layers.Conv2DTranspose(2, 3, strides=3, output_padding=2), layers.Conv2DTranspose(2, 5, strides=2, padding="same"),
        shape=(4, 5, 2)),
    "one dimension": lambda: chain(
        layers.Conv1D(2, 3, padding="causal"), layers.AveragePooling1D(2), layers.Conv1D(2, 2), shape=(17, 3)),
    "three dimensions": lambda: chain(
        layers.Conv3D(2, 2), layers.AveragePooling3D((2, 1, 2)), shape=(7, 5, 6, 1)),
    "grey images without a channel": lambda: chain(
        layers.Reshape((14, 12, 1)), layers.Conv2D(2, 3), layers.AveragePooling2D(2), shape=(14, 12)),
    "branches added": lambda: branches(layers.Add()),
    "branches side by side": lambda: branches(layers.Concatenate()),
    "layers for each position": lambda: chain(
        layers.Conv2D(3, 3), layers.BatchNormalization(), layers.LayerNormalization(), layers.Dense(2, "softplus"),
        layers.Dropout(0.5), layers.SpatialDropout2D(0.5)),
    "encoder and decoder": encoder_and_decoder,
    "nested": nested,
}  # fmt: skip
# Nets with layers that mix positions: what is told is the whole input, never too little.
WHOLE = {
    "normalised over the image": lambda: chain(layers.Conv2D(4, 3), layers.LayerNormalization(axis=(1, 2))),
    "flat": lambda: chain(layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3)),
    "in turn": lambda: chain(layers.Conv2D(2, 3), layers.Permute((2, 1, 3))),
    "squeeze and excitation": excitation,
    "vectors": lambda: chain(layers.Dense(4), layers.Dense(2), shape=(5,)),
    "recurrent": lambda: chain(layers.SimpleRNN(3, return_sequences=True), shape=(6, 2)),
}  # fmt: skip


def seen_spans(model, output, axis, batch):
    """For each position along an axis of a layer's output, the first and last input index that changes it."""
    probe = keras.Model(model.inputs, output)
    x = tf.constant(batch)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        values = probe(x, training=False)
        # Squares, as the plain sum of what a normalisation gives does not depend on its input.
        sums = [tf.reduce_sum(tf.gather(values, place, axis=axis) ** 2) for place in range(values.shape[axis])]
    spans = []
    for one in sums:
        slope = np.abs(tape.gradient(one, x).numpy())
        reached = np.flatnonzero(slope.max(axis=tuple(other for other in range(slope.ndim) if other != axis)))
        spans.append((reached[0], reached[-1]) if len(reached) else None)
    return spans


def with_positive_weights(model):
    """The model, so that no two influences cancel out."""
    generator = np.random.default_rng(0)
    for layer in model.layers:
        for variable in layer.trainable_variables:
            if variable.name.endswith("kernel"):
                taken = variable.shape[:2] if isinstance(layer, layers.DepthwiseConv2D) else variable.shape[:-1]
                variable.assign(generator.uniform(0.5, 1, variable.shape) / np.prod(taken))
    return model


@pytest.mark.parametrize("case", NETS)
def test_the_spans_are_exactly_what_the_derivatives_reach(case):
    model = with_positive_weights(NETS[case]())
    batch = np.random.default_rng(0).uniform(0.5, 1, (40, *model.inputs[0].shape[1:])).astype("float32")
    field = receptive_fields(model)[model.layers[-1].name]
    for number, spans in enumerate(field.spans):
        measured = seen_spans(model, model.outputs[0], 1 + number, batch)
        assert [span if span[0] <= span[1] else None for span in spans] == measured


@pytest.mark.parametrize("case", WHOLE)
def test_layers_that_mix_positions_see_the_whole_input(case):
    model = WHOLE[case]()
    field = receptive_fields(model)[model.layers[-1].name]
    shape = model.inputs[0].shape[1:]
    assert field.is_whole and field.size == shape[: max(len(shape) - 1, 1)]
    assert field.spans == tuple(((0, length - 1),) for length in field.size)
    assert field.box((2, 1)) == tuple((0, length - 1) for length in field.size)


@pytest.mark.parametrize("case", NETS)
def test_the_box_of_a_unit_holds_all_that_it_sees_and_is_no_larger_within_the_image(case):
    field = list(receptive_fields(NETS[case]()).values())[-1]
    for axis, spans in enumerate(field.spans):
        for place, (first, last) in enumerate(spans):
            low, high = field.box([place] * len(field.spans))[axis]
            assert high - low + 1 == field.size[axis]
            assert first > last or low <= first and last <= high
    if not any(word in case for word in ("upsampled", "transposed", "decoder")):  # there, sizes are upper bounds
        for size, spans in zip(field.size, field.spans):  # somewhere in the middle a unit sees all of its field
            assert max(last - first + 1 for first, last in spans) == min(size, max(last for _, last in spans) + 1)


def test_a_transposed_convolution_with_the_channels_first_sees_what_it_sees_with_the_channels_last():
    both = []
    for data_format, shape in (("channels_first", (3, 6, 5)), ("channels_last", (6, 5, 3))):
        up = layers.Conv2DTranspose(4, 3, strides=2, padding="same", data_format=data_format)
        both.append(receptive_fields(chain(up, shape=shape))[up.name].spans)
    assert both[0] == both[1]


KNOWN = [
    # Published by Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks" (2019).
    ("VGG16", "block5_pool", 212, 32),
    ("ResNet50", "conv5_block3_out", 483, 32),
    ("MobileNetV2", "Conv_1", 491, 32),
]


@pytest.mark.parametrize("name, layer, size, stride", KNOWN)
def test_known_nets_have_the_published_receptive_fields(name, layer, size, stride):
    model = getattr(keras.applications, name)(weights=None, include_top=False)
    field = receptive_fields(model, input_shape=(224, 224, 3))[layer]
    assert field.size == (size, size) and field.stride == (stride, stride)


def test_an_application_of_keras_sees_what_its_derivatives_reach():
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(weights=None, input_shape=(64, 64, 3), classes=5)
    with_positive_weights(model)
    fields = receptive_fields(model)
    batch = np.full((1, 64, 64, 3), 1e-3, "float32")  # small, so that no ReLU6 is at its limit
    name = "block_3_project_BN"
    assert list(fields[name].spans[0]) == seen_spans(model, model.get_layer(name).output, 1, batch)
    assert fields["predictions"].is_whole


def test_the_fields_of_our_own_nets_are_those_of_the_arithmetic():
    fields = receptive_fields(cnn(input_shape=(28, 28), outputs=10))
    assert {name: (field.size[0], field.stride[0]) for name, field in fields.items()} == {
        "channel": (1, 1), "scale": (1, 1), "conv_1": (5, 1), "pool_1": (6, 2), "conv_2": (14, 2), "pool_2": (16, 4),
        "flatten": (28, 0), "dense_1": (28, 0), "output": (28, 0),
    }  # fmt: skip
    assert all(field.is_whole for name, field in receptive_fields(mlp(input_shape=(3,), outputs=1)).items())


def test_nested_layers_and_the_nested_model_itself_have_fields():
    model = nested()
    fields = receptive_fields(model)
    inner = next(layer.name for layer in model.layers if isinstance(layer, keras.Model))
    assert [name for name in fields if name.startswith(f"{inner}/")] and fields[inner].size == (5, 5)


def test_a_layer_of_ones_own_sees_everything_unless_it_is_said_to_work_on_each_position():
    class Doubled(layers.Layer):
        def call(self, x):
            return 2 * x

    model = chain(layers.Conv2D(2, 3), Doubled(name="doubled"), layers.Conv2D(2, 3, name="end"))
    assert receptive_fields(model)["end"].size == (19, 16)
    assert receptive_fields(model, pointwise=(Doubled,))["end"].size == (5, 5)


def test_of_several_inputs_one_is_asked_about():
    image, number = keras.Input((8, 8, 1), name="image"), keras.Input((3,), name="number")
    x = layers.Flatten(name="flat")(layers.Conv2D(2, 3, name="conv")(image))
    hidden = layers.Dense(4, name="hidden")(number)
    model = keras.Model([image, number], layers.Concatenate(name="both")([x, hidden]))
    with pytest.raises(UsageError, match="say input_name=... with one of image, number"):
        receptive_fields(model)
    assert list(receptive_fields(model, input_name="image")) == ["conv", "flat", "both"]
    assert list(receptive_fields(model, input_name="number")) == ["hidden", "both"]


def test_a_model_that_leaves_its_size_open_asks_for_it():
    model = keras.applications.VGG16(weights=None, include_top=False)
    with pytest.raises(UsageError, match=r"give input_shape=\(height, width, channels\)"):
        receptive_fields(model)


def test_a_model_that_is_not_built_is_refused():
    with pytest.raises(UsageError, match="has no weights yet"):
        receptive_fields(keras.Sequential([layers.Conv2D(2, 3)]))


# Crops


def marked(places, size=12):
    """Images with one bright pixel each."""
    found = np.zeros((len(places), size, size), "uint8")
    for image, (row, column, value) in zip(found, places):
        image[row, column] = value
    return found


def bright_centre(padding="same"):
    """A convolution with one unit that likes a bright pixel in its middle, and a dead one."""
    model = chain(layers.Reshape((12, 12, 1)), layers.Conv2D(2, 3, padding=padding, activation="relu", name="conv"),
                  layers.Flatten(), layers.Dense(2, name="output"), shape=(12, 12))  # fmt: skip
    kernel = np.zeros((3, 3, 1, 2), "float32")
    kernel[1, 1, 0, 0] = 1
    model.get_layer("conv").set_weights([kernel, np.zeros(2)])
    return model


def test_the_strongest_crops_show_what_the_unit_likes_the_strongest_first():
    images = marked([(5, 6, 100), (2, 3, 200), (8, 8, 50)])
    found = strongest_crops(bright_centre(), images, "conv", count=2, units=[0], batch_size=2)
    assert found.items.tolist() == [[1, 0]] and found.activations.tolist() == [[200, 100]]
    assert found.positions.tolist() == [[[2, 3], [5, 6]]] and found.corners.tolist() == [[[1, 2], [4, 5]]]
    assert found.crops.dtype == np.uint8 and found.crops.shape == (1, 2, 3, 3)
    assert found.crops[0, 0].tolist() == [[0, 0, 0], [0, 200, 0], [0, 0, 0]]


def test_a_crop_beyond_the_border_is_filled_with_zeros():
    images = np.full((1, 12, 12), 9, "uint8")
    images[0, 0, 0] = 250
    found = strongest_crops(bright_centre(), images, "conv", count=1, units=[0])
    assert found.corners.tolist() == [[[-1, -1]]]
    assert found.crops[0, 0].tolist() == [[0, 0, 0], [0, 250, 9], [0, 9, 9]]


def test_of_fewer_images_than_asked_for_there_is_one_crop_each():
    found = strongest_crops(bright_centre(), marked([(5, 6, 100)]), "conv", count=9)
    assert found.crops.shape == (2, 1, 3, 3)
    assert found.activations.tolist() == [[100], [0]]  # the second unit is dead


@pytest.mark.parametrize("layer, size", [("output", (12, 12)), ("conv", (3, 3))])
def test_the_activation_of_a_crop_is_that_of_its_item_and_position(layer, size):
    keras.utils.set_random_seed(1)
    model = cnn(input_shape=(12, 12), outputs=3, filters=(4,), kernel_size=3, hidden=())
    layer = "conv_1" if layer == "conv" else layer
    images = np.random.default_rng(0).integers(0, 256, (10, 12, 12)).astype("uint8")
    found = strongest_crops(model, images, layer, count=4)
    values = activations(model, images, layer)[layer]
    assert found.crops.shape[1:] == (4, *size)
    for unit, items, positions, strengths in zip(found.units, found.items, found.positions, found.activations):
        best = values[..., unit].reshape(10, -1).max(axis=1)
        assert sorted(best, reverse=True)[:4] == strengths.tolist()
        assert [values[(item, *place, unit)] for item, place in zip(items, positions)] == strengths.tolist()


def test_a_crop_given_to_the_model_in_the_same_place_excites_as_much():
    model = with_positive_weights(chain(layers.Conv2D(2, 3), layers.MaxPooling2D(2), layers.Conv2D(3, 3, name="end")))
    images = np.random.default_rng(0).uniform(0, 1, (6, 19, 16, 2)).astype("float32")
    found = strongest_crops(model, images, "end", count=2)
    for unit in range(3):
        alone = np.zeros((1, 19, 16, 2), "float32")
        (top, left), crop = found.corners[unit, 0], found.crops[unit, 0]
        alone[0, top : top + crop.shape[0], left : left + crop.shape[1]] = crop
        answer = activations(model, alone, ["end"])["end"][(0, *found.positions[unit, 0], unit)]
        assert answer == pytest.approx(found.activations[unit, 0], rel=1e-5)


@pytest.mark.parametrize(
    "asked, told",
    [
        (dict(layer="conf"), "no layer 'conf' here. Did you mean 'conv'"),
        (dict(layer="conv", units=[2]), "conv has no unit 2, expected 0 to 1"),
        (dict(layer="conv", count=0), "count must be a whole number of at least 1, got 0"),
    ],
)
def test_what_cannot_be_cropped_is_refused(asked, told):
    with pytest.raises(UsageError, match=told):
        strongest_crops(bright_centre(), marked([(5, 6, 100)]), **asked)


def test_a_box_in_the_padding_starts_below_zero():
    assert ReceptiveField(size=(3,), stride=(2,), start=(-1,)).box((0,)) == ((-1, 1),)
