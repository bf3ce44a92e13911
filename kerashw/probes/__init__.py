"""What is inside of any Keras model, as NumPy arrays by the names of its layers; always in inference mode."""

from kerashw.probes.activations import (
    activation_profiles,
    activations,
    feature_maps,
    inactive_units,
    left_centre_right,
)
from kerashw.probes.graph import named_layers
from kerashw.probes.weights import filters, weights

__all__ = [
    "activation_profiles",
    "activations",
    "feature_maps",
    "filters",
    "inactive_units",
    "left_centre_right",
    "named_layers",
    "weights",
]
