"""Groups of Keras's layers that the probes treat alike."""

from keras import layers

CONVOLUTIONS = (
    layers.Conv1D, layers.Conv2D, layers.Conv3D,
    layers.DepthwiseConv1D, layers.DepthwiseConv2D,
    layers.SeparableConv1D, layers.SeparableConv2D,
)  # fmt: skip
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
MAXIMA = (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D)
POOLINGS = (
    *MAXIMA,
    layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D,
)  # fmt: skip
DENSE = (layers.Dense,)
ACTIVATIONS = (
    layers.Activation, layers.ELU, layers.LeakyReLU, layers.PReLU, layers.ReLU, layers.Softmax,
)  # fmt: skip
# These treat every position of an image, or every unit, alone and finish what the layer before them began.
FINISHING = (*ACTIVATIONS, layers.BatchNormalization)
