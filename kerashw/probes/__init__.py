"""What is inside of any Keras model, as NumPy arrays by the names of its layers; always in inference mode."""

from kerashw.probes.activations import (
    activation_profiles,
    activations,
    feature_maps,
    inactive_units,
    left_centre_right,
)
from kerashw.probes.attribution import grad_cam, integrated_gradients, saliency, scores
from kerashw.probes.crops import Crops, strongest_crops
from kerashw.probes.fields import ReceptiveField, receptive_fields
from kerashw.probes.graph import named_layers
from kerashw.probes.maximisation import MaximalInputs, maximal_inputs
from kerashw.probes.weights import filters, weights

__all__ = [
    "Crops",
    "MaximalInputs",
    "ReceptiveField",
    "activation_profiles",
    "activations",
    "feature_maps",
    "filters",
    "grad_cam",
    "inactive_units",
    "integrated_gradients",
    "left_centre_right",
    "maximal_inputs",
    "named_layers",
    "receptive_fields",
    "saliency",
    "scores",
    "strongest_crops",
    "weights",
]
