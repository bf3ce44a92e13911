"""A whole run in this process, from a data set to its exported model: scores, failures, refit and what is kept."""

import csv
import io
import json
import time
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from kerashw import evaluation
from kerashw.augment import Augment
from kerashw.commands import quiet_tensorflow
from kerashw.datasets import Dataset
from kerashw.errors import NoTrialSucceeded, UsageError, WorkError
from kerashw.formats import load_keras
from kerashw.models import cnn, mlp
from kerashw.progress import Progress
from kerashw.run import Run
from kerashw.space import Bayesian, Choice, Grid, Hyperband, Random, Real
from kerashw.study import Study
from tuning import pipeline
from tuning.estimate import estimate
from tuning.pipeline import execute, make_setup, write_trials
from tuning.search import are_small, prepare, search
from tuning.standing import Budget

quiet_tensorflow()  # as the command line does: with it, one seed gives one result

GENERATOR = np.random.default_rng(0)
X = GENERATOR.uniform(-1, 1, (32, 2)).astype("float32")
LINES = Dataset("lines", X[:24], X[:24, :1] - X[:24, 1:], X[24:], X[24:, :1] - X[24:, 1:], classes=(), source="made")
PIXELS = GENERATOR.integers(0, 256, (24, 6, 6)).astype("uint8")
IMAGES = Dataset("images", PIXELS, np.arange(24) % 2, PIXELS[:8], np.arange(8) % 2, classes=("a", "b"), source="made")
SMALL = dict(hidden=(3,), learning_rate=0.01, batch_size=8, epochs=2)
ABOUT = {"study": "toy", "stand_in": False}


def study_of(search, *, model=mlp, settings=SMALL, **fields):
    return Study(data="toy", model=model, settings=settings, search=search, **fields)


def begun(folder, study, data, seed=0):
    """The setup of a run that has begun in that folder."""
    run = Run(folder)
    run.folder.mkdir(parents=True, exist_ok=True)
    run.begin({})
    return make_setup(study, data, run, seed=seed, progress=Progress("toy", quiet=True))


def run_of(folder, study, data=LINES, seed=0, **options):
    """A whole run: its metrics, the rows of trials.csv, its recorded trials, and the run itself."""
    setup = begun(folder, study, data, seed)
    metrics = execute(setup, data, about=ABOUT, **options)
    with closing(setup.run.store()) as store:
        trials = store.trials()
    return SimpleNamespace(metrics=metrics, rows=rows_of(setup.run), trials=trials, run=setup.run)


def searched(folder, study, data=LINES, seed=0):
    """The rows of trials.csv after a search without a refit."""
    setup = begun(folder, study, data, seed)
    store = setup.run.store()
    try:
        search(setup, store, prepare(setup))
    finally:
        write_trials(setup, store)
    return rows_of(setup.run)


def rows_of(run):
    with open(run.trials_file, newline="") as file:
        return list(csv.DictReader(file))


def without_seconds(rows):
    return [{name: cell for name, cell in row.items() if name != "seconds"} for row in rows]


def recomputed(one, data):
    """The test metrics of the model that lies in the run's folder."""
    model = load_keras(one.run.keras_file)
    return evaluation.metrics(
        evaluation.predict(model, data.x_test), data.y_test, is_classification=bool(data.classes)
    )  # fmt: skip


# Folds, executions, ranks


@pytest.fixture(scope="module")
def folded(tmp_path_factory):
    """Two folds with two executions each, after a Bayesian search."""
    settings = dict(SMALL, learning_rate=Real(1e-3, 1e-1, log=True))
    return run_of(
        tmp_path_factory.mktemp("folded"),
        study_of(Bayesian(trials=3, initial=2), settings=settings, folds=2, executions=2),
    )


def test_every_fold_and_execution_has_its_score(folded):
    columns = [f"score_fold{fold}_execution{execution}" for fold in range(2) for execution in range(2)]
    for row, trial in zip(folded.rows, folded.trials, strict=True):
        assert [float(row[column]) for column in columns] == [done.score for done in trial.executions]
        assert len({row[column] for column in columns}) == 4, "each has its own seed or its own items"
    seeds = [done.seed for trial in folded.trials for done in trial.executions]
    assert len(set(seeds)) == len(seeds) == 12


def test_mean_and_deviation_are_those_of_the_scores(folded):
    for row, trial in zip(folded.rows, folded.trials, strict=True):
        scores = [done.score for done in trial.executions]
        assert float(row["mean"]) == trial.score == pytest.approx(np.mean(scores))
        assert float(row["std"]) == trial.deviation == pytest.approx(np.std(scores))


def test_ranks_go_from_the_best_mean_to_the_worst_and_the_first_is_refitted(folded):
    order = np.argsort([float(row["mean"]) for row in folded.rows])
    assert [int(folded.rows[place]["rank"]) for place in order] == [1, 2, 3]
    assert folded.metrics["validation"]["trial"] == int(folded.rows[order[0]]["trial"])
    assert folded.metrics["validation"]["score"] == min(trial.score for trial in folded.trials)
    assert folded.metrics["winner"] == {"learning_rate": float(folded.rows[order[0]]["learning_rate"])}


def test_the_folds_hold_out_every_item_once(tmp_path):
    setup = make_setup(study_of(Grid(), folds=3), LINES, None, seed=0, progress=None)
    held = np.concatenate([held for _, held in setup.splits])
    assert sorted(held) == list(range(24)) and all(not set(train) & set(held) for train, held in setup.splits)


def test_the_refit_is_on_all_items_for_as_long_as_was_best_on_average(folded):
    best = folded.trials[folded.metrics["validation"]["trial"]]
    epochs = round(np.mean([done.best_epoch for done in best.executions]))
    assert folded.metrics["refit"] == {"items": 24, "epochs": epochs, "best_epoch": epochs, "averaged": 1, "planned": None,
                                       "networks": 1, "test": None}
    header, *rows = folded.run.history_file.read_text().splitlines()
    assert header == "epoch,loss,mse,r2" and len(rows) == epochs


def test_the_test_metrics_are_those_of_the_model_in_the_folder(folded):
    assert folded.metrics["test"] == pytest.approx(recomputed(folded, LINES), rel=1e-6)
    assert set(folded.metrics["test"]) == {"mse", "mae", "r2"}


def test_metrics_json_is_strict_and_says_what_was_returned(folded):
    def refuse(constant):
        raise AssertionError(constant)

    text = folded.run.metrics_file.read_text()
    assert json.loads(text, parse_constant=refuse).items() > json.loads(json.dumps(folded.metrics)).items()
    assert folded.run.metrics() == json.loads(json.dumps(folded.metrics))
    assert folded.metrics["trials"] == {"completed": 3, "failed": 0, "pruned": 0}
    assert folded.metrics["study"] == "toy" and folded.metrics["parameters"] == 13


def test_every_epoch_of_every_training_is_recorded(folded):
    store = folded.run.store()
    for trial in folded.trials:
        for done in trial.executions:
            history = store.history(trial.number, done.fold, done.execution)
            assert history["epoch"] == [1, 2] and min(history["val_mse"]) == done.score
            assert done.metrics["val_mse"] == history["val_mse"][done.best_epoch - 1]


# Failures


def faulty(*, input_shape, outputs, fault="none"):
    """A user's builder with faults of its own for some settings."""
    if fault == "error":
        raise ValueError("three is no crowd\nmore of it")
    if fault == "memory":
        raise MemoryError
    inputs = keras.Input(input_shape)
    outputs = keras.layers.Dense(outputs)(keras.layers.Dense(50 if fault == "large" else 3)(inputs))
    return keras.Model(inputs, outputs)


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    """Every kind of failure, before and after the one success."""
    settings = dict(
        fault=Choice("none", "error", "memory", "large"), learning_rate=Choice(1e30, 0.01), optimizer="sgd",
        batch_size=8, epochs=2,
    )  # fmt: skip
    study = study_of(Random(trials=8), model=faulty, settings=settings, parameters=(1, 100))
    return run_of(tmp_path_factory.mktemp("failing"), study)


def test_each_failure_is_recorded_with_its_reason_and_text(failing):
    found = {(row["fault"], float(row["learning_rate"])): row for row in failing.rows}
    assert len(found) == 8
    for rate in (1e30, 0.01):
        assert (found["error", rate]["reason"], found["error", rate]["message"]) == (
            "error", "ValueError: three is no crowd")  # fmt: skip
        assert (found["memory", rate]["reason"], found["memory", rate]["message"]) == ("memory", "MemoryError: no message")
        assert found["large", rate]["reason"] == "parameters" and "201 parameters" in found["large", rate]["message"]
        assert found["large", rate]["parameters"] == "201"
    diverged = found["none", 1e30]
    assert diverged["reason"] == "diverged" and "loss was" in diverged["message"]
    for row in failing.rows:
        if row["status"] == "failed":
            assert row["mean"] == row["rank"] == row["score_fold0"] == "" and float(row["seconds"]) >= 0


def test_a_failure_never_wins_and_does_not_stop_the_search(failing):
    won = [row for row in failing.rows if row["status"] == "completed"]
    assert [(row["fault"], row["learning_rate"], row["rank"]) for row in won] == [("none", "0.01", "1")]
    assert failing.metrics["trials"] == {"completed": 1, "failed": 7, "pruned": 0}
    assert failing.metrics["winner"] == {"fault": "none", "learning_rate": 0.01}


def test_the_whole_text_of_a_failure_is_among_the_events(failing):
    texts = failing.run.store().events("failure")
    assert len(texts) == 7 and any("Traceback" in text and "more of it" in text for text in texts)


def test_a_grid_leaves_out_what_has_too_many_parameters(tmp_path):
    study = study_of(Grid(), settings=dict(SMALL, hidden=Choice((3,), (50,))), parameters=(1, 100))
    setup = begun(tmp_path, study, LINES)
    assert len(prepare(setup).points) == 1
    with pytest.raises(UsageError, match="no combination has between 1 and 2 parameters"):
        prepare(begun(tmp_path, study.but(parameters=(1, 2)), LINES))


def test_settings_that_do_not_go_together_fail_their_trial_alone(tmp_path):
    """Two values for two layers do not fit one layer: kerashw's own builder says so, as a UsageError."""
    settings = dict(SMALL, hidden=Choice((3, 2), (3,)), dropout=(0.1, 0.2), epochs=1)
    completed, failed = searched(tmp_path, study_of(Grid(), settings=settings))
    assert (completed["status"], failed["status"], failed["reason"]) == ("completed", "failed", "error")
    assert "dropout" in failed["message"]


def never(*, input_shape, outputs, number=0):
    if number:
        raise ValueError(f"number {number} is none of mine")
    return mlp(input_shape=input_shape, outputs=outputs)


def test_when_nothing_ever_succeeds_the_search_ends_after_several_tries_with_the_first_error(tmp_path):
    """Only the first of many settings can be built, and with this seed the tuner does not come upon it early."""
    study = study_of(Random(trials=40), model=never, settings=dict(number=Choice(*range(400))), together=False)
    with pytest.raises(NoTrialSucceeded, match="none of 5 trials succeeded; the first failed with ValueError: ") as caught:
        run_of(tmp_path, study)
    rows = rows_of(Run(tmp_path))
    assert [row["message"] for row in rows] == [f"ValueError: number {row['number']} is none of mine" for row in rows]
    assert caught.value.exit_code == 3 and rows[0]["message"] in str(caught.value)
    assert not Run(tmp_path).is_finished and not Run(tmp_path).keras_file.exists()


def test_first_settings_that_cannot_be_built_are_a_fault_of_the_study(tmp_path):
    study = study_of(Grid(), model=never, settings=dict(number=1))
    with pytest.raises(UsageError, match=r"never cannot be built for items of shape \(2,\) .*number 1 is none of mine"):
        run_of(tmp_path, study)


def test_a_small_space_that_diverges_everywhere_ends_with_what_it_has(tmp_path):
    settings = dict(SMALL, optimizer="sgd", learning_rate=Choice(1e30, 1e31))
    with pytest.raises(NoTrialSucceeded, match="none of 2 trials succeeded; the first failed with Diverged: "):
        searched(tmp_path, study_of(Grid(), settings=settings))
    assert [row["reason"] for row in rows_of(Run(tmp_path))] == ["diverged", "diverged"]


# Pruning


PATHS = [True, pytest.param(False, marks=pytest.mark.slow)]  # many at once, or one after the other
PRUNED = dict(hidden=(8,), learning_rate=Real(1e-5, 1e-1, log=True), batch_size=8, epochs=12)


def pruned_search(folder, together, **fields):
    study = study_of(Random(trials=12), settings=PRUNED, prune="median", folds=2, together=together, **fields)
    return without_seconds(searched(folder, study))


@pytest.mark.parametrize("together", PATHS)
def test_losers_are_given_up_below_the_median_of_the_trials_before(tmp_path, together):
    rows = pruned_search(tmp_path, together)
    store = Run(tmp_path).store()
    given_up = [row for row in rows if row["status"] == "pruned"]
    assert 2 <= len(given_up) <= 9 and {row["status"] for row in rows[:3]} == {"completed"}
    for row in given_up:
        trial = store.trial(int(row["trial"]))
        epochs = [len(store.history(trial.number, done.fold)["epoch"]) for done in trial.executions]
        epoch = min(epochs)
        assert epoch in (3, 6, 9) and row["reason"] == "median" and row["rank"] == ""
        assert f"by epoch {epoch}, where the median of earlier trials was" in row["message"]
    best = min((row for row in rows if row["rank"]), key=lambda row: float(row["mean"]))
    assert best["rank"] == "1" and best["status"] == "completed"


@pytest.mark.slow
def test_the_same_trials_are_given_up_on_either_path(tmp_path):
    """Where as many trials are asked for at a time: later ones are compared with more."""
    by_path = []
    for together in (True, False):
        setup = begun(tmp_path / str(together), study_of(
            Random(trials=8), settings=PRUNED, prune="median", together=together), LINES)  # fmt: skip
        oracle = prepare(setup)
        oracle.batch = 4
        search(setup, setup.run.store(), oracle)
        by_path.append([(trial.status, trial.reason) for trial in setup.run.store().trials()])
    assert by_path[0] == by_path[1] and ("pruned", "median") in by_path[0]


@pytest.mark.parametrize("together", PATHS)
def test_a_pruned_search_broken_off_anywhere_ends_with_the_same_trials(tmp_path, together):
    whole = pruned_search(tmp_path, together)
    pruned = [int(row["trial"]) for row in whole if row["status"] == "pruned"]
    store = Run(tmp_path).store()
    # As a kill leaves it between the record of a training and the end of its trial.
    store.database.ask(f"UPDATE trials SET status='running', score=NULL, checksum=NULL WHERE number >= {pruned[0]}")
    for number in range(pruned[0] + 1, len(whole), 2):
        store.drop_trial(number)
    store.close()
    assert pruned_search(tmp_path, together) == whole


def test_what_was_pruned_is_counted_and_the_rule_is_told(tmp_path):
    study = study_of(Random(trials=10), settings=PRUNED, prune="median")
    one = run_of(tmp_path, study)
    statuses = [trial.status for trial in one.trials]
    assert one.metrics["trials"] == {status: statuses.count(status) for status in ("completed", "failed", "pruned")}
    assert one.metrics["trials"]["pruned"] > 0 and "worse than the median" in one.metrics["pruning"]


def test_hyperband_and_studies_that_do_not_ask_for_it_prune_nothing(tmp_path):
    for search_ in (Random(trials=8), Hyperband(trials=5)):
        study = study_of(search_, settings=PRUNED, prune="median" if search_.name == "hyperband" else None)
        one = run_of(tmp_path / search_.name, study)
        assert {trial.status for trial in one.trials} == {"completed"} and one.metrics["pruning"] is None


def test_a_store_with_more_trials_than_the_search_has_is_refused(tmp_path):
    study = study_of(Grid(), settings=dict(SMALL, epochs=Choice(1, 2)))
    searched(tmp_path, study)
    store = Run(tmp_path).store()
    store.begin_trial(2, {"epochs": 1})
    store.close()
    with pytest.raises(WorkError, match="trial 2 was recorded, but this search ends before it"):
        searched(tmp_path, study)


# Refit


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Images, refitted with the best epoch by the validation part."""
    settings = dict(
        filters=(2,), kernel_size=3, hidden=(3,), augment=Augment(rotation=10), dropout=Choice(0.0, 0.2),
        batch_normalization=True, batch_size=8, epochs=3,
    )  # fmt: skip
    study = study_of(Random(trials=1), model=cnn, settings=settings, validation=0.25, refit="stop")
    return run_of(tmp_path_factory.mktemp("stopped"), study, IMAGES)


def test_a_refit_that_stops_is_on_the_training_part_with_its_best_epoch(stopped):
    refit = stopped.metrics["refit"]
    assert (refit["items"], refit["epochs"]) == (18, 3)
    header, *rows = stopped.run.history_file.read_text().splitlines()
    scores = [float(row.split(",")[header.split(",").index("val_accuracy")]) for row in rows]
    assert refit["best_epoch"] == scores.index(max(scores)) + 1


def test_the_model_of_a_refit_that_stops_is_that_of_its_best_epoch(stopped):
    assert stopped.metrics["test"] == pytest.approx(recomputed(stopped, IMAGES), rel=1e-5)
    header, *rows = stopped.run.history_file.read_text().splitlines()
    best = dict(zip(header.split(","), rows[stopped.metrics["refit"]["best_epoch"] - 1].split(",")))
    setup = make_setup(study_of(Grid(), validation=0.25), IMAGES, None, seed=0, progress=None)
    held = setup.splits[0][1]
    model = load_keras(stopped.run.keras_file)
    found = evaluation.metrics(evaluation.predict(model, IMAGES.x_train[held]), IMAGES.y_train[held], is_classification=True)
    assert found["accuracy"] == pytest.approx(float(best["val_accuracy"]))
    assert found["cross_entropy"] == pytest.approx(float(best["val_loss"]), rel=1e-4)


def test_settings_and_names_are_told_in_full(stopped):
    settings = stopped.metrics["settings"]
    assert settings["augment"] == {"augment": Augment(rotation=10).settings()} and settings["optimizer"] == "adam"
    assert stopped.metrics["objective"] == "val_accuracy"
    assert stopped.metrics["export"]["largest_difference"] < 1e-4


def test_the_checkpoints_go_and_the_rest_of_a_run_stays(stopped):
    assert sorted(path.name for path in stopped.run.folder.iterdir()) == [
        "exports.json", "history.csv", "metrics.json", "model", "model.keras", "study.json", "tensorboard", "trials.csv", "trials.db",
        "trials.db.copy",
    ]  # fmt: skip


# Time


def test_a_time_budget_ends_the_search_early_and_leaves_a_refitted_model(tmp_path):
    settings = dict(SMALL, learning_rate=Real(1e-3, 1e-1, log=True))
    study = study_of(Random(trials=1000), settings=settings, together=False)
    one = run_of(tmp_path, study, budget=Budget(end=time.monotonic() + 5, total=5))
    assert 1 <= len(one.trials) < 1000
    assert all(trial.status == "completed" and trial.executions for trial in one.trials)
    assert one.metrics["test"] == pytest.approx(recomputed(one, LINES), rel=1e-6)


def test_a_time_budget_shorter_than_the_first_trial_still_leaves_a_model(tmp_path):
    study = study_of(Random(trials=5), settings=dict(SMALL, learning_rate=Real(1e-3, 1e-1), epochs=10**6))
    one = run_of(tmp_path, study, budget=Budget(end=time.monotonic() + 2, total=2))
    assert {trial.status for trial in one.trials} == {"completed"} and one.run.keras_file.exists()
    assert 1 <= one.metrics["refit"]["epochs"] < 10**6


@pytest.mark.slow
def test_a_search_that_its_budget_ended_can_be_continued(tmp_path):
    """The trials cut short are not the last of those begun together; what was done in time stays."""
    settings = dict(hidden=(3,), optimizer=Choice("adam", "sgd"), epochs=Choice(1, 10**6))
    study = study_of(Grid(trials=3), settings=settings, together=True)
    first = begun(tmp_path, study.but(search=Grid(trials=1)), LINES)
    search(first, first.run.store(), prepare(first))
    for seconds in (3, 1):
        setup = begun(tmp_path, study, LINES)
        search(setup, setup.run.store(), prepare(setup), Budget(end=time.monotonic() + seconds, total=seconds))
    trials = setup.run.store().trials()
    assert {trial.status for trial in trials} == {"completed"} and trials[0].number == 0


# Seeds


SEEDED = {
    "table": (study_of(Random(trials=2), settings=dict(SMALL, dropout=Real(0.1, 0.5))), LINES),
    "images": (
        study_of(Random(trials=1), model=cnn, settings=dict(
            filters=(2,), kernel_size=3, hidden=(3,), augment=Augment(rotation=20, zoom=0.1), dropout=0.2,
            learning_rate=Real(1e-3, 1e-1, log=True), batch_size=8, epochs=1)),
        IMAGES,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SEEDED)
def test_two_runs_with_one_seed_have_the_same_trials_seconds_aside(name, tmp_path):
    study, data = SEEDED[name]
    first, again = (without_seconds(searched(tmp_path / folder, study, data, seed=0)) for folder in ("a", "b"))
    assert first == again and len(first) == study.search.trials
    if name == "table":
        other = without_seconds(searched(tmp_path / "c", study, data, seed=1))
        assert not {row["mean"] for row in first} & {row["mean"] for row in other}


@pytest.mark.parametrize("together", [True, False])
def test_a_search_broken_off_anywhere_ends_with_the_same_trials_seconds_aside(tmp_path, together):
    """A trial that is trained together with fewer others comes out the same."""
    settings = dict(SMALL, dropout=Real(0.1, 0.5))
    study = study_of(Random(trials=5 if together else 2), settings=settings, folds=2, together=together)
    whole = without_seconds(searched(tmp_path, study))
    setup = begun(tmp_path, study, LINES)
    store = setup.run.store()
    store.database.ask("UPDATE trials SET status='running', score=NULL, checksum=NULL WHERE number=1")
    store.database.ask("DELETE FROM executions WHERE trial=1 AND fold=1")
    store.database.ask("DELETE FROM epochs WHERE trial=1 AND fold=1")
    for number in range(2, len(whole)):
        store.drop_trial(number)
    store.close()
    assert without_seconds(searched(tmp_path, study)) == whole


def test_models_are_small_only_if_the_largest_are_as_well(tmp_path):
    def small(*units):
        study = study_of(Grid(), settings=dict(SMALL, hidden=(2100, Choice(*units))))
        return are_small(begun(tmp_path / str(units), study, LINES))

    assert small(2, 3) and not small(2, 2100) and not small(2100, 2)


def test_an_estimate_trains_no_more_than_the_search_would_and_than_fills_a_loop(tmp_path, monkeypatch):
    trained = []
    counting = lambda builder, members, *given, **named: trained.append(len(members))  # noqa: E731
    monkeypatch.setattr("tuning.estimate.train_together", counting)
    monkeypatch.setattr("tuning.estimate.processors", lambda: 1)
    for search in (Grid(), Random(trials=500)):
        settings = dict(SMALL, learning_rate=Choice(0.1, 0.2) if search == Grid() else Real(0.1, 0.2))
        estimate(study_of(search, settings=settings, folds=3), LINES, seed=0)
    assert trained == [6, 6, 64, 64]


def test_a_budget_that_ends_within_the_first_trial_leaves_what_its_finished_folds_tell(tmp_path):
    wide = dict(SMALL, hidden=(160, 160), epochs=400, learning_rate=Choice(0.001, 0.002))  # a loop for each training
    one = run_of(tmp_path, study_of(Grid(), settings=wide, folds=5), budget=Budget(end=time.monotonic(), total=0.0))
    (trial,) = one.trials
    assert trial.status == "completed" and 1 <= len(trial.executions) < 5
    assert one.metrics["validation"]["trial"] == trial.number


def test_a_model_of_one_s_own_that_takes_floats_is_exported_as_it_is(tmp_path):
    def floats(*, input_shape, outputs):
        inputs = keras.Input(input_shape)  # float32, Keras's default, where the items are uint8
        return keras.Model(inputs, keras.layers.Dense(outputs)(keras.layers.Flatten()(inputs)))

    one = run_of(tmp_path, study_of(Grid(), model=floats, settings=dict(epochs=1)), data=IMAGES)
    assert one.metrics["export"]["largest_difference"] < 1e-5


# Numbers of bfloat16


@pytest.mark.parametrize("policy, shared", [
    (None, True), ("float32", True), ("mixed_bfloat16", False), (Choice("float32", "mixed_bfloat16"), False),
])  # fmt: skip
def test_small_nets_share_a_loop_unless_some_of_them_compute_in_bfloat16(policy, shared, tmp_path):
    setup = begun(tmp_path, study_of(Grid(), settings=dict(SMALL, dtype_policy=policy)), LINES)
    assert setup.trains_together(setup.model_of(setup.study.filled({"dtype_policy": "float32"}))) is shared


@pytest.mark.parametrize("has, told", [(False, True), (True, False), (None, False)])
def test_a_search_in_bfloat16_says_where_the_processor_has_no_instructions_for_it(has, told, tmp_path, monkeypatch):
    monkeypatch.setattr("tuning.pipeline.has_bfloat16", lambda: has)
    study, stream = study_of(Grid(), settings=dict(SMALL, dtype_policy="mixed_bfloat16", epochs=1)), io.StringIO()
    setup = replace(begun(tmp_path, study, LINES), progress=Progress("toy", stream=stream))
    with closing(setup.run.store()) as store:
        pipeline.searched(setup, store, Budget())
    assert ("mixed_bfloat16: the processors here have no instructions for it" in stream.getvalue()) is told
