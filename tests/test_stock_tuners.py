"""StudyHyperModel under KerasTuner's own tuners, as it is: no oracle, store or search of kerashw."""

import keras_tuner
import numpy as np
import pytest

from kerashw.models import mlp
from kerashw.space import Choice, Int, Random, Real
from kerashw.study import Study
from kerashw.training import Task
from tuning.hypermodel import StudyHyperModel

GENERATOR = np.random.default_rng(0)
X = GENERATOR.uniform(-1, 1, (24, 2)).astype("float32")
CLASSES = Task(X, (X[:, 0] > X[:, 1]).astype("int64"), 2, True)
NUMBERS = Task(X, X[:, :1] - X[:, 1:], 1, False)
STUDY = Study(
    data="toy", model=mlp, search=Random(trials=1),
    settings=dict(
        hidden=Choice((3,), (3, 2)), dropout=0.1, activation=Choice("relu", "tanh"),
        learning_rate=Real(1e-3, 1e-1, log=True), batch_size=Int(4, 8), epochs=2),
)  # fmt: skip
TUNERS = {
    "hyperband": lambda *given, **named: keras_tuner.Hyperband(*given, max_epochs=2, factor=2, **named),
    "bayesian": lambda *given, **named: keras_tuner.BayesianOptimization(
        *given, max_trials=2, num_initial_points=1, **named
    ),
}


def searched(tuner, task, objective, folder):
    """A finished search of a stock tuner."""
    tuner = TUNERS[tuner](
        StudyHyperModel(STUDY, task), objective, seed=1, directory=folder, project_name="stock", overwrite=True
    )
    tuner.search(task.x[:16], task.y[:16], validation_data=(task.x[16:], task.y[16:]), verbose=0)
    return tuner


@pytest.fixture(scope="module", params=[
    pytest.param(("hyperband", CLASSES, keras_tuner.Objective("val_accuracy", "max")), marks=pytest.mark.slow),
    ("bayesian", NUMBERS, keras_tuner.Objective("val_mse", "min")),
], ids=["hyperband", "bayesian"])  # fmt: skip
def found(request, tmp_path_factory):
    tuner, task, objective = request.param
    return searched(tuner, task, objective, tmp_path_factory.mktemp(tuner))


def test_every_trial_of_a_stock_tuner_is_completed_with_a_score(found):
    trials = found.oracle.trials.values()
    assert len(trials) == (5 if isinstance(found, keras_tuner.Hyperband) else 2)
    assert {trial.status for trial in trials} == {"COMPLETED"}
    assert all(np.isfinite(trial.score) for trial in trials)


def test_a_stock_tuner_s_values_are_the_study_s_own(found):
    settings = [found.hypermodel.settings(trial.hyperparameters) for trial in found.oracle.trials.values()]
    assert all(one["hidden"] in ((3,), (3, 2)) and one["activation"] in ("relu", "tanh") for one in settings)
    assert all(1e-3 <= one["learning_rate"] <= 1e-1 and one["batch_size"] in range(4, 9) for one in settings)
    assert len({one["learning_rate"] for one in settings}) >= 2


def test_the_best_settings_of_a_stock_tuner_build_the_model_they_describe(found):
    (best,) = found.get_best_hyperparameters(1)
    model = found.hypermodel.build(best)
    hidden = found.hypermodel.settings(best)["hidden"]
    assert [model.get_layer(f"dense_{number + 1}").units for number in range(len(hidden))] == list(hidden)
    assert float(model.optimizer.learning_rate) == pytest.approx(best["learning_rate"])


def test_the_whole_space_is_known_before_the_first_trial():
    names = {hp.name for hp in StudyHyperModel(STUDY, CLASSES).space().space}
    assert names == {"hidden", "activation", "learning_rate", "batch_size"}


def test_a_stock_tuner_trains_in_the_numbers_that_the_study_says():
    hypermodel = StudyHyperModel(STUDY.but(dtype_policy="mixed_bfloat16"), CLASSES)
    assert hypermodel.build(hypermodel.space()).get_layer("dense_1").compute_dtype == "bfloat16"
