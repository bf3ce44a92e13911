"""What TensorBoard shows of a run: the refit's scalars and layers, and every trial on the HParams page.

The step of a scalar is the index of its epoch, as Keras counts; that of a layer is the number of epochs done, so that 0
is before training. Where a refit keeps its best epoch, "best/" shows the layers as they are kept.
"""

import shutil

from kerashw.selection import values_of
from kerashw.space import Choice

# TensorBoard keeps 10 pictures of a tag: before training, so many within it, and at its end.
LOOKS = 8
ITEMS = 256  # over which activations are counted; feature maps are those of the first


def refit_callbacks(folder, model, x, epochs, kept_by=None):
    """Keras callbacks that write the refit's scalars, epoch by epoch, and now and then its layers.

    `model` is built as the one that is to be fitted; the layers are looked at with some of the items of x. Where the
    model is not kept as its last epoch leaves it, `kept_by` is the metric by whose best epoch it is: that epoch is
    shown as well, below "best/".
    """
    import keras

    shutil.rmtree(folder / "refit", ignore_errors=True)  # a refit that was broken off begins anew
    scalars = keras.callbacks.TensorBoard(folder / "refit", write_graph=False, write_steps_per_second=False)
    when = dict(every=-(-epochs // LOOKS))
    if kept_by is not None:
        when |= dict(at=("start", "best", "end"), monitor=kept_by)
    return [scalars, *_exports(folder, model, x, **when)]


def write_history(folder, history, models, x):
    """What `refit_callbacks` write, for a refit that Keras's own `fit` did not make: the same names, and two looks.

    `models` is {epochs done: the model then}; the layers are looked at with some of the items of x.
    """
    import tensorflow as tf

    shutil.rmtree(folder / "refit", ignore_errors=True)
    names = [name for name in history if name != "epoch"]
    for part, prefix in (("train", ""), ("validation", "val_")):
        own = [name for name in names if name.startswith("val_") == bool(prefix)]
        if own:
            with tf.summary.create_file_writer(str(folder / "refit" / part)).as_default():
                for place, epoch in enumerate(history["epoch"]):
                    for name in own:
                        tf.summary.scalar(f"epoch_{name.removeprefix(prefix)}", history[name][place], step=epoch - 1)
    for export in _exports(folder, next(iter(models.values())), x):
        for epochs, model in models.items():
            export.write_events(model, epochs)
        export.close()


def _exports(folder, model, x, **when):
    """The callbacks that find something in that model: each writes a run of its own, named after what it shows."""
    from kerashw.callbacks import ExportActivations, ExportFeatureMaps, ExportWeights

    when_and_where = dict(tensorboard=folder / "refit", **when)
    exports = (
        ExportWeights(**when_and_where),
        ExportActivations(x=x[:ITEMS], **when_and_where),
        ExportFeatureMaps(x=x[:1], **when_and_where),
    )
    return [export for export in exports if export.finds(model)]


def write_trials(folder, name, study, trials, settings_of, objectives):
    """Every trial as a session of the HParams plugin, failed ones included, with its settings and its run's name.

    `settings_of` gives the searched settings of a trial as the study writes them. No description of the experiment is
    written: TensorBoard would take the first it finds for all runs below its logdir, and show of the others only
    the settings they have in common with it. Without one it gathers the settings and metrics of all of them.
    """
    import tensorflow as tf
    from tensorboard.plugins.hparams import api, summary
    from tensorboard.plugins.hparams.api_pb2 import Status

    shutil.rmtree(folder / "trials", ignore_errors=True)
    for trial in trials:
        values = {key: _shown(study.searched[key], value) for key, value in settings_of(trial).items()}
        with tf.summary.create_file_writer(str(folder / "trials" / f"{trial.number:04d}")).as_default():
            # Without an id of its own a session goes by its folder, so equal names or settings are never merged.
            api.hparams({"run": name, **values}, trial_id="")
            if trial.status != "failed":
                told = dict(zip(objectives, values_of(trial, objectives)))
                for metric, value in {**trial.mean_metrics(), **told}.items():
                    if value is not None:
                        tf.summary.scalar(metric, value, step=0)
            # A trial that was given up has metrics, but neither succeeded nor failed.
            state = {"completed": Status.STATUS_SUCCESS, "failed": Status.STATUS_FAILURE}.get(
                trial.status, Status.STATUS_UNKNOWN
            )
            end = summary.session_end_pb(state)
            tf.summary.experimental.write_raw_pb(
                tf.compat.v1.Summary(value=end.value).SerializeToString(), step=0
            )


def _shown(space, value):
    """A value as a column of one type needs it: a number, a truth value or text; mixtures and tuples as text."""
    kinds = (bool,), (int, float), (str,)
    values = space.values if isinstance(space, Choice) else (value,)
    return value if any({type(one) for one in values} <= set(kind) for kind in kinds) else str(value)
