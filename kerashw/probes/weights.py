"""What a model has learnt: the weights of every layer, and its convolutions as filters of one common shape."""

import keras
import numpy as np

from kerashw.probes.graph import check_built, named_layers


def weights(model):
    """The weights of every layer that has any: {layer: {"kernel": array, "bias": array, ...}}.

    Shapes are Keras's own. Where a layer holds layers of its own, two weights may have one name; they are then told
    apart by where they stand, as "query/kernel" and "key/kernel". The random states of dropout are no weights.

    >>> from kerashw.models import mlp
    >>> kept = weights(mlp(input_shape=(3,), outputs=1, hidden=(4,)))
    >>> {layer: {name: array.shape for name, array in own.items()} for layer, own in kept.items()}
    {'dense_1': {'kernel': (3, 4), 'bias': (4,)}, 'output': {'kernel': (4, 1), 'bias': (1,)}}
    """
    check_built(model)
    return {name: _own_weights(layer) for name, layer in named_layers(model).items() if layer.weights}


def filters(model):
    """The filters of every convolution: {layer: array (filters, *kernel_size, channels)}.

    So (filters, height, width, channels) in two dimensions and (filters, length, channels) in one. `channels` are
    those that a filter looks at: all of its input, those of its group, or one where the convolution is depthwise.
    Of a depthwise convolution filter number `channel * depth_multiplier + m` is there, in the order of its outputs.
    Of a separable one it is the filter that both of its steps make together. Those in a `TimeDistributed` are found.

    >>> from kerashw.models import cnn
    >>> {name: array.shape for name, array in filters(cnn(input_shape=(28, 28), outputs=10)).items()}
    {'conv_1': (10, 5, 5, 1), 'conv_2': (20, 5, 5, 10)}
    """
    check_built(model)
    kept = {}
    for name, layer in named_layers(model).items():
        while isinstance(layer, keras.layers.Wrapper):
            layer = layer.layer
        array = _filters(layer)
        if array is not None:
            kept[name] = array
    return kept


def _filters(layer):
    kinds = keras.layers
    if isinstance(layer, (kinds.Conv1D, kinds.Conv2D, kinds.Conv3D)):
        return np.moveaxis(_array(layer.kernel), -1, 0)
    if isinstance(layer, (kinds.Conv1DTranspose, kinds.Conv2DTranspose, kinds.Conv3DTranspose)):
        return np.moveaxis(_array(layer.kernel), -2, 0)  # (*kernel_size, filters, channels)
    if isinstance(layer, (kinds.DepthwiseConv1D, kinds.DepthwiseConv2D)):
        kernel = _array(layer.kernel)  # (*kernel_size, channels, depth_multiplier)
        return np.moveaxis(kernel.reshape(*kernel.shape[:-2], -1, 1), -2, 0)
    if isinstance(layer, (kinds.SeparableConv1D, kinds.SeparableConv2D)):
        deep = _array(layer.depthwise_kernel)
        flat = _array(layer.pointwise_kernel).reshape(*deep.shape[-2:], -1)  # (channels, depth_multiplier, filters)
        return np.einsum("...cm,cmf->f...c", deep, flat)
    return None


def _own_weights(layer):
    names = [variable.name for variable in layer.weights]
    if len(set(names)) < len(names):
        # A path is "model/layer/query/kernel": what comes after the layer's own name tells them apart.
        names = [variable.path.rpartition(f"{layer.name}/")[2] for variable in layer.weights]
    if len(set(names)) < len(names):
        names = [f"{name}_{number}" for number, name in enumerate(names, 1)]
    return {name: _array(variable) for name, variable in zip(names, layer.weights)}


def _array(variable):
    array = np.array(keras.ops.convert_to_numpy(variable))  # a copy: further training must not change it
    return array.astype(np.float32) if array.dtype.itemsize < 4 and array.dtype.kind not in "biu" else array
