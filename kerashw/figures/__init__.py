"""Every figure of kerashw: one function each, from plain numbers to a matplotlib Figure with a caption.

    >>> figure = learning_curves(history={"loss": [2.0, 1.0]})
    >>> figure.caption
    'Training loss was lowest, 1, at epoch 2 of 2.'

A figure function takes arrays, lists and dicts as keywords and knows no Keras; the numbers come from elsewhere. A new
one is written in the module of its subject and named here; `kerashw.drawing` then draws, keeps and redraws it.
"""

from kerashw.figures.activations import activation_profiles
from kerashw.figures.attributions import attributions
from kerashw.figures.classes import calibration, class_scores, confusion_matrix
from kerashw.figures.columns import table
from kerashw.figures.curves import arms, learning_curves
from kerashw.figures.front import pareto_front
from kerashw.figures.gradients import gradient_check
from kerashw.figures.images import augmented_samples, predictions, sample_items, worst_errors
from kerashw.figures.kernels import feature_maps, filters
from kerashw.figures.points import data_points, fit
from kerashw.figures.progress import search_history, timeline
from kerashw.figures.residuals import residuals
from kerashw.figures.settings import importance, parallel_coordinates, slices
from kerashw.figures.tables import grid_table
from kerashw.figures.units import maximal_inputs, receptive_fields, strongest_crops
from kerashw.figures.weights import dense_weights, histograms, weight_histograms

FIGURES = {
    function.__name__: function
    for function in (
        activation_profiles, arms, attributions, augmented_samples, calibration, class_scores, confusion_matrix,
        data_points, dense_weights, feature_maps, filters, fit, gradient_check, grid_table, importance, learning_curves,
        maximal_inputs, parallel_coordinates, pareto_front, predictions, receptive_fields, residuals, sample_items,
        search_history, slices, strongest_crops, table, timeline, weight_histograms, worst_errors,
    )
}  # fmt: skip

__all__ = [*FIGURES, "FIGURES", "histograms"]
