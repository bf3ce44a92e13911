"""StudyHyperModel: a study as KerasTuner sees it, for our search and for KerasTuner's own tuners alike."""

import keras_tuner

from kerashw.building import build_model, compile_model
from kerashw.space import Choice, Int


class StudyHyperModel(keras_tuner.HyperModel):
    """Models of a study for a task: `build` and `fit` take every value the study searches from `hp`.

    It works under KerasTuner's own tuners as well:

        tuner = keras_tuner.BayesianOptimization(
            StudyHyperModel(study, task), keras_tuner.Objective("val_accuracy", "max"), max_trials=10)
        tuner.search(x, y, validation_data=(x_held, y_held))
    """

    def __init__(self, study, task):
        super().__init__(name=study.model.__name__)
        self.study = study
        self.task = task

    def space(self):
        """The searched settings as fresh KerasTuner hyperparameters."""
        hp = keras_tuner.HyperParameters()
        self.settings(hp)
        return hp

    def searched(self, hp):
        """The searched settings with the values of `hp`; what `hp` does not know yet is declared there."""
        return {name: _declared(hp, name, space) for name, space in self.study.searched.items()}

    def settings(self, hp):
        """All settings of a training as constants, with the values of `hp`."""
        return self.study.filled(self.searched(hp))

    def uncompiled(self, settings, dtype_policy=None):
        """The model that the settings describe, in the numbers of Keras's own policy unless another one is given."""
        shapes = dict(input_shape=self.task.x.shape[1:], outputs=self.task.outputs)
        return build_model(self.study.model, settings, **shapes, dtype_policy=dtype_policy)

    def build(self, hp):
        """A compiled model."""
        settings = self.settings(hp)
        steps = -(-len(self.task.x) // settings["batch_size"]) * settings["epochs"]
        model = self.uncompiled(settings, settings["dtype_policy"])
        return compile_model(model, settings, is_classification=self.task.is_classification, steps=steps)

    def fit(self, hp, model, *args, **kwargs):
        """`model.fit` with the study's batch size and epochs, unless the tuner itself decides the epochs."""
        settings = self.settings(hp)
        kwargs = {"batch_size": settings["batch_size"], "epochs": settings["epochs"], "verbose": 0, **kwargs}
        return model.fit(*args, **kwargs)


def _declared(hp, name, space):
    if isinstance(space, Choice):
        labels = _labels(space)
        return space.values[labels.index(hp.Choice(name, labels))]
    if space.step is not None:  # KerasTuner's own steps miss the upper end: 0.5 // 0.1 is 4
        number = int if isinstance(space, Int) else float
        return hp.Choice(name, list(map(number, space.values)))
    kind = hp.Int if isinstance(space, Int) else hp.Float
    return kind(name, space.low, space.high, sampling="log" if space.log else "linear")


def _labels(choice):
    """The values as KerasTuner can take them: text, or numbers of one type; tuples, None and mixtures as text."""
    kinds = set(map(type, choice.values))
    if kinds <= {int, float}:
        return list(choice.values) if len(kinds) == 1 else list(map(float, choice.values))
    return [value if isinstance(value, str) else repr(value) for value in choice.values]
