"""Every figure of a run, drawn from what the run has left in its folder.

    >>> sorted(FIGURES)[:4]
    ['activation_profiles', 'attributions', 'augmented_samples', 'calibration']

`draw_figures` draws those of one run, `draw_comparison` those that set the arms of a study beside each other. A new
figure is one function from numbers to a Figure, in `kerashw.figures`, one that gathers the numbers, here, and the line
in the table that names it.
"""

import contextlib
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from kerashw import figures, interrupts
from kerashw.drawing import draw, is_drawn
from kerashw.pictures import answers, arms, data, excitement, inside, search, training
from kerashw.pictures.data import curve_places, is_curve
from kerashw.pictures.inside import gradient_summary
from kerashw.pictures.record import Record, dataset_of

__all__ = [
    "COMPARISONS", "FIGURES", "Picture", "Record", "curve_places", "dataset_of", "draw_comparison", "draw_figures",
    "gradient_summary", "is_curve",
]  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """How one figure comes about.

    when     of a Record: whether there is such a figure; or the layers of which there is one each
    numbers  of a Record, and of the layer where there is one: the keywords of the figure function
    figure   one of `kerashw.figures`
    within   whether it shows no more than the first network, where the model is an ensemble of several
    """

    when: Callable
    numbers: Callable
    figure: Callable
    within: bool = False


def always(record):
    """What every run has."""
    return True


FIGURES = {
    # what was learnt from
    "data_points": Picture(data.is_curve, data.data_points, figures.data_points),
    "sample_items": Picture(data.is_image, data.sample_items, figures.sample_items),
    "augmented_samples": Picture(data.is_augmented, data.augmented_samples, figures.augmented_samples),
    # the search
    "search_history": Picture(search.has_trials, search.search_history, figures.search_history),
    "search_front": Picture(search.has_front, search.front, figures.pareto_front),
    "search_timeline": Picture(search.is_timed, search.timeline, figures.timeline),
    "search_slices": Picture(search.is_searched, search.slices, figures.slices),
    "search_importance": Picture(search.is_ranked, search.importance, figures.importance),
    "search_parallel": Picture(search.is_searched, search.slices, figures.parallel_coordinates),
    "search_table": Picture(search.is_table, search.table, figures.grid_table),
    # the trainings
    "curves_search": Picture(always, training.search_curves, figures.learning_curves),
    "curves_refit": Picture(always, training.refit_curves, figures.learning_curves, within=True),
    "weights": Picture(always, training.weight_histograms, figures.weight_histograms, within=True),
    # the model from within
    "layers": Picture(always, inside.layer_table, figures.table, within=True),
    "activation_profiles": Picture(inside.has_hidden, inside.activation_profiles, figures.activation_profiles, within=True),
    "filters": Picture(inside.convolutions, inside.filters, figures.filters, within=True),
    "pixel_weights": Picture(inside.overlooking, inside.pixel_weights, figures.filters, within=True),
    "dense_weights": Picture(inside.has_dense_weights, inside.dense_weights, figures.dense_weights, within=True),
    "feature_maps": Picture(inside.map_layers, inside.feature_maps, figures.feature_maps, within=True),
    "receptive_fields": Picture(excitement.has_fields, excitement.receptive_fields, figures.receptive_fields, within=True),
    "strongest_crops": Picture(excitement.last_convolution, excitement.strongest_crops, figures.strongest_crops, within=True),
    "maximal_inputs": Picture(excitement.climbed, excitement.maximal_inputs, figures.maximal_inputs, within=True),
    "attributions": Picture(data.is_image, excitement.attributions, figures.attributions, within=True),
    "gradient_check": Picture(inside.wants_gradient_check, inside.gradient_check, figures.gradient_check, within=True),
    # its answers
    "fit": Picture(data.is_curve, answers.fit, figures.fit),
    "residuals": Picture(answers.is_regression, answers.residuals, figures.residuals),
    "predictions": Picture(answers.classifies_images, answers.predictions, figures.predictions),
    "confusion_matrix": Picture(answers.is_classification, answers.confusion_matrix, figures.confusion_matrix),
    "class_scores": Picture(answers.is_classification, answers.class_scores, figures.class_scores),
    "calibration": Picture(answers.is_classification, answers.calibration, figures.calibration),
    "worst_errors": Picture(answers.classifies_images, answers.worst_errors, figures.worst_errors),
}

# The same of {arm: Record}; in place of a layer stands a metric.
COMPARISONS = {
    "arms_results": Picture(always, arms.results, figures.table),
    "arms": Picture(arms.metrics_of, arms.curves, figures.arms),
    "arms_fit": Picture(arms.are_curves, arms.fits, figures.fit),
}


def draw_figures(record, *, name=None, say=print, anew=True):
    """The paths of the figures of a run, drawn into its folder; `say` is told one line before, with the run's name.

    A figure that fails is told on stderr and recorded as an event of the run, and the others are drawn. Those that are
    there, drawn by an earlier process, stay as they are where they are not wanted `anew`.
    """
    with contextlib.closing(record.run.store()) as store:
        store.forget_events("figure")  # what failed before is drawn again
        keep = partial(store.add_event, "figure")
        return _drawn(FIGURES, record, record.run, (record.warning, record.excerpt), name, say, keep, anew)


def draw_comparison(run, arms, *, name=None, say=print):
    """The paths of the figures that compare {arm: Record}, drawn into the folder of the run above them."""
    warning = next(iter(arms.values())).warning
    return _drawn(COMPARISONS, arms, run, (warning, None), name, say, lambda text: None)


def _drawn(pictures, subject, run, below, title, say, keep, anew=True):
    warning, excerpt = below
    plan = []
    for name, picture in pictures.items():
        with _failing(run, name, keep):
            plan += [(f"{name}_{part}".replace("/", ".") if part else name, picture, part)
                     for part in _parts(picture.when(subject))]  # fmt: skip
    missing = [one for one in plan if anew or not is_drawn(run.figures, one[0])]
    if missing or not plan:
        say(f"{title or run.folder}: drawing {len(missing)} figures")
    paths = []
    for name, picture, part in missing:
        interrupts.check()
        with _failing(run, name, keep):
            numbers = picture.numbers(subject, part) if part else picture.numbers(subject)
            remark = excerpt if picture.within else None
            paths.append(draw(run.figures, name, picture.figure, footer=warning, remark=remark, **numbers))
    return paths


def _parts(when):
    """The layers or metrics of which there is a figure each; [None] where there is just one."""
    return when if isinstance(when, list) else [None] * when


@contextlib.contextmanager
def _failing(run, name, keep):
    """An error in the body loses that figure, also one drawn earlier, and nothing else: not a finished model."""
    try:
        yield
    except Exception as error:
        interrupts.check()  # a library may have made another exception of it
        for suffix in (".png", ".json"):
            (run.figures / f"{name}{suffix}").unlink(missing_ok=True)
        told = f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), 'no message')}"
        print(f"{run.folder}: figure {name} failed: {told}", file=sys.stderr)
        keep(f"{name}\n{''.join(traceback.format_exception(error))}")
