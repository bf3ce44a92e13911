"""What TensorBoard shows of a run: the refit's scalars, and every trial on the HParams page."""

import shutil

from kerashw.space import Choice


def refit_callback(folder):
    """A Keras callback that writes the scalars of the refit, epoch by epoch."""
    import keras

    shutil.rmtree(folder / "refit", ignore_errors=True)  # a refit that was broken off begins anew
    return keras.callbacks.TensorBoard(folder / "refit", write_graph=False, write_steps_per_second=False)


def write_trials(folder, name, study, trials, values_of, objective):
    """Every trial as a session of the HParams plugin, failed ones included, under one experiment.

    `values_of` gives the searched settings of a trial as the study writes them. Without a description of the
    experiment TensorBoard would only show what the first trials have in common.
    """
    import tensorflow as tf
    from tensorboard.plugins.hparams import api, summary
    from tensorboard.plugins.hparams.api_pb2 import Status

    shutil.rmtree(folder / "trials", ignore_errors=True)
    metrics = sorted({metric for trial in trials for done in trial.executions for metric in done.metrics})
    hparams = [api.HParam(key, _domain(space)) for key, space in study.searched.items()]
    shown = [api.Metric(objective, display_name=f"{objective} (score)")]
    shown += [api.Metric(metric) for metric in metrics if metric != objective]
    with tf.summary.create_file_writer(str(folder / "trials")).as_default():
        api.hparams_config(hparams=hparams, metrics=shown)
    for trial in trials:
        values = {key: _shown(value) for key, value in values_of(trial).items()}
        session = folder / "trials" / f"{trial.number:04d}"
        with tf.summary.create_file_writer(str(session)).as_default():
            api.hparams(values, trial_id=f"{name} trial {trial.number}")
            if trial.status == "completed":
                tf.summary.scalar(objective, trial.score, step=0)
                for metric in metrics:
                    if metric != objective:
                        known = [done.metrics[metric] for done in trial.executions if metric in done.metrics]
                        tf.summary.scalar(metric, sum(known) / len(known), step=0)
            state = Status.STATUS_SUCCESS if trial.status == "completed" else Status.STATUS_FAILURE
            end = summary.session_end_pb(state)
            tf.summary.experimental.write_raw_pb(
                tf.compat.v1.Summary(value=end.value).SerializeToString(), step=0
            )


def _domain(space):
    from tensorboard.plugins.hparams import api

    if isinstance(space, Choice):
        shown = list(map(_shown, space.values))
        return api.Discrete(shown if len(set(map(type, shown))) == 1 else list(map(str, shown)))
    if isinstance(space.low, int) and isinstance(space.high, int):
        return api.IntInterval(space.low, space.high)
    return api.RealInterval(float(space.low), float(space.high))


def _shown(value):
    return value if isinstance(value, (int, float, str)) else repr(value)
