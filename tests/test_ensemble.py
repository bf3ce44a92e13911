"""An ensemble of the refits: what it answers, what is kept of its networks on the way, and who trains them."""

import contextlib
import io
import json
import time
from collections import Counter
from dataclasses import dataclass, field, replace

import keras
import numpy as np
import pytest
from test_flight import Hands
from test_search import ABOUT, IMAGES, LINES, SMALL, begun, run_of, study_of

from kerashw import evaluate, export, load_run, request, tune
from kerashw.commands import run as run_verb
from kerashw.ensemble import ensemble, networks_of
from kerashw.evaluation import metrics, predict, probabilities
from kerashw.formats import Served, load_format, load_keras, load_model
from kerashw.formats import export as export_as
from kerashw.job import work
from kerashw.models import cnn, mlp
from kerashw.pictures import FIGURES
from kerashw.progress import Progress
from kerashw.run import Run
from kerashw.seeds import derive
from kerashw.space import Choice, Grid
from kerashw.verdict import over_seeds
from tuning import refit, refits
from tuning.pipeline import execute, make_setup
from tuning.search import prepare, search
from tuning.standing import Budget

RATES = dict(SMALL, learning_rate=Choice(0.01, 0.02), dropout=0.2)
PICTURES = dict(
    filters=(2,), kernel_size=3, hidden=(4,), batch_normalization=True, dropout=0.2, batch_size=8, epochs=2,
    learning_rate=0.01,
)  # fmt: skip
# {name: the study of an ensemble of three and its data}
CASES = {
    "lines in a loop": (study_of(Grid(), settings=RATES, refits=3, ensemble=True), LINES),
    "lines by fit": (
        study_of(Grid(), settings=dict(RATES, normalize=True), refits=3, ensemble=True, together=False), LINES),
    "images by fit": (
        study_of(Grid(), model=cnn, settings=dict(PICTURES, dtype_policy="mixed_bfloat16"), refits=3, ensemble=True),
        IMAGES),
}  # fmt: skip


@pytest.fixture(scope="module", params=[
    pytest.param(name, marks=[pytest.mark.slow] * (name == "lines by fit")) for name in CASES])  # fmt: skip
def made(request, tmp_path_factory):
    """A run with an ensemble, its study and its data."""
    study, data = CASES[request.param]
    return run_of(tmp_path_factory.mktemp("made"), study, data), study, data


def networks(count, builder=mlp, **settings):
    """Networks with other weights each."""
    found = []
    for seed in range(count):
        keras.utils.set_random_seed(seed)
        found.append(builder(**settings))
    return found


def test_values_are_the_mean_of_the_networks_values():
    three, x = networks(3, input_shape=(2,), outputs=1), LINES.x_test
    expected = np.mean([predict(one, x) for one in three], axis=0)
    np.testing.assert_allclose(predict(ensemble(three, is_classification=False), x), expected, rtol=1e-5, atol=1e-6)


def test_probabilities_are_the_mean_of_the_networks_probabilities_and_far_ones_stay_finite():
    three = networks(3, cnn, input_shape=(6, 6), outputs=2, filters=(2,), kernel_size=3, hidden=())
    for scale in (1.0, 1e4):
        for one in three:
            one.set_weights([scale * weight for weight in one.get_weights()])
        united = predict(ensemble(three, is_classification=True), IMAGES.x_test)
        expected = np.mean([probabilities(predict(one, IMAGES.x_test)) for one in three], axis=0)
        assert np.isfinite(united).all()
        np.testing.assert_allclose(probabilities(united), expected, rtol=1e-4, atol=1e-6)


def test_an_ensemble_is_told_from_other_models_with_models_within(tmp_path):
    three = networks(3, input_shape=(2,), outputs=1)
    ensemble(three, is_classification=False).save(tmp_path / "it.keras")
    united = load_keras(tmp_path / "it.keras")
    assert [one.name for one in networks_of(united)] == ["network_1", "network_2", "network_3"]
    for one, again in zip(three, networks_of(united)):
        np.testing.assert_array_equal(predict(one, LINES.x_test), predict(again, LINES.x_test))
    given = keras.Input((2,))
    nested = keras.Model(given, networks(1, input_shape=(2,), outputs=1)[0](given))
    assert networks_of(nested) == [nested]


def test_the_model_of_a_run_is_all_its_refits(made):
    run, study, data = made
    united = networks_of(load_model(run.run))
    told = run.metrics
    alone = [told["refit"]["test"], *(one["test"] for one in told["refitted_again"])]
    assert told["refit"]["networks"] == len(united) == len(alone) == 3
    for network, test in zip(united, alone):
        outputs = predict(network, data.x_test)
        assert test == pytest.approx(metrics(outputs, data.y_test, is_classification=bool(data.classes)), rel=1e-4)
    assert len({json.dumps(test) for test in alone}) == 3
    outputs = predict(load_model(run.run), data.x_test)
    assert told["test"] == pytest.approx(metrics(outputs, data.y_test, is_classification=bool(data.classes)), rel=1e-4)
    assert told["parameters"] == sum(one.count_params() for one in united)
    assert over_seeds(told)[next(iter(told["test"]))].count == 3
    assert not run.run.checkpoints.exists()


def test_its_first_network_is_the_model_of_a_run_without_an_ensemble(made, tmp_path):
    run, study, data = made
    alone = run_of(tmp_path, replace(study, ensemble=False, refits=1), data)
    assert run.metrics["refit"]["test"] == pytest.approx(alone.metrics["test"], rel=1e-6)


@pytest.mark.parametrize("form", ["savedmodel", "litert"])
def test_its_other_formats_answer_as_it_does(form, made):
    run, study, data = made
    if form == "litert":
        export_as(run.run, form, Served.of(load_model(run.run), data))
    name = "probabilities" if data.classes else "y"
    expected, found = (load_format(run.run, kind)(data.x_test[:5])[name] for kind in ("keras", form))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def interrupted(name):
    """A function in the place of one of `tuning.refit` or `tuning.refits`, which a kill comes before."""

    def never(*given, **named):
        raise KeyboardInterrupt(name)

    return never


def trained(monkeypatch):
    """Counts the numbers of the refits that are trained from now on."""
    count, real = Counter(), refits.train_refits

    def counted(setup, best, numbers, *given, **named):
        for number, result in real(setup, best, numbers, *given, **named):
            count[number] += 1
            yield number, result

    monkeypatch.setattr(refit, "train_refits", counted)
    return count


def continued(setup, study, data):
    return execute(make_setup(study, data, Run(setup.run.folder), seed=0, progress=setup.progress), data, about=ABOUT)


def told(metrics):
    return {name: metrics[name] for name in ("test", "winner", "parameters")}


@pytest.mark.parametrize("stage", ["repeated", "united"])
def test_a_run_that_was_broken_off_goes_on_with_the_networks_that_it_has(stage, tmp_path, monkeypatch):
    study, data = CASES["lines in a loop"]
    whole = run_of(tmp_path / "whole", study, data).metrics
    setup = begun(tmp_path / "broken", study, data)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(f"tuning.pipeline.{stage}", interrupted(stage))
        execute(setup, data, about=ABOUT)
    count = trained(monkeypatch)
    assert told(continued(setup, study, data)) == told(whole)
    assert count == ({1: 1, 2: 1} if stage == "repeated" else {})


def test_a_kill_between_the_file_of_an_ensemble_and_what_is_told_of_it_trains_nothing_again(tmp_path, monkeypatch):
    study, data = CASES["lines in a loop"]
    setup, real = begun(tmp_path, study, data), refit.export
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(refit, "export", lambda *given: real(*given) and interrupted("export")())
        execute(setup, data, about=ABOUT)
    assert setup.run.keras_file.exists()
    count = trained(monkeypatch)
    assert continued(setup, study, data)["refit"]["networks"] == 3 and not count


def test_a_network_whose_weights_were_damaged_is_trained_anew_and_no_other(tmp_path, monkeypatch):
    study, data = CASES["lines in a loop"]
    setup = begun(tmp_path, study, data)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("tuning.pipeline.united", interrupted("united"))
        execute(setup, data, about=ABOUT)
    damaged = setup.run.checkpoint_of(refit.CHECKPOINT, 2)
    damaged.write_bytes(b"half of it")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):  # it is aside, and not yet made again
        patched.setattr("tuning.pipeline.repeated", lambda *given, **named: refit._missing(*given[:2]) and interrupted("")())
        continued(setup, study, data)
    assert (damaged.parent / f"{damaged.name}.damaged-1").read_bytes() == b"half of it"
    count = trained(monkeypatch)
    assert continued(setup, study, data)["refit"]["networks"] == 3
    assert count == {2: 1}


def test_a_network_that_is_lost_where_no_time_is_left_leaves_an_ensemble_of_the_others(tmp_path, monkeypatch, capsys):
    study, data = CASES["lines in a loop"]
    setup = begun(tmp_path, study, data)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("tuning.pipeline.united", interrupted("united"))
        execute(setup, data, about=ABOUT)
    setup.run.checkpoint_of(refit.CHECKPOINT, 1).unlink()
    again = make_setup(study, data, Run(tmp_path), seed=0, progress=Progress("toy"))
    monkeypatch.setattr(refit, "train_refits", lambda *given, **named: ())  # the deadline came before it
    found = execute(again, data, about=ABOUT)
    assert found["refit"]["networks"] == 2 and len(found["refitted_again"]) == 1
    assert "the model is made of 2 of 3 networks" in capsys.readouterr().err


def test_a_finished_ensemble_whose_result_was_lost_is_not_trained_again(tmp_path, monkeypatch):
    study, data = CASES["lines in a loop"]
    setup = begun(tmp_path, study, data)
    before = execute(setup, data, about=ABOUT)
    setup.run.metrics_file.unlink()
    count = trained(monkeypatch)
    again = continued(setup, study, data)
    assert told(again) == told(before) and again["refit"] == before["refit"] and not count


def test_a_time_budget_that_ends_before_the_others_leaves_the_first_network_alone(tmp_path):
    settings = dict(SMALL, epochs=4_000)
    study = study_of(Grid(), settings=settings, refits=3, refit_epochs=4_000, ensemble=True)
    setup = begun(tmp_path, study, LINES)
    found = execute(setup, LINES, about=ABOUT, budget=Budget(end=time.monotonic(), total=0.0))
    assert found["refit"]["networks"] == 1
    assert load_model(setup.run).name == "mlp"
    assert found["refitted_again"] == [] and found["test"] == pytest.approx(found["refit"]["test"])
    setup.run.metrics_file.unlink()
    assert told(continued(setup, study, LINES)) == told(found)


@dataclass
class Crew:
    """Two workers that are this very process; those in `dies` lose the worker that is at them, so many times."""

    dies: Counter = field(default_factory=Counter)
    done: list = field(default_factory=list)
    workers: int = 2
    is_one, ray = False, None

    @contextlib.contextmanager
    def hired(self, common, folder, do=work, bundled=False):
        hands = Hands(common, count=2, do=do)
        real = hands.next

        def heard():
            name, outcome = real()
            self.done.append(name)
            if self.dies[name]:
                self.dies[name] -= 1
                return name, None
            return name, outcome

        hands.next = heard
        yield hands


def by(crew, study, data, folder):
    """A run whose refits alone are made by that crew."""
    setup = replace(begun(folder, replace(study, prune=None), data), crew=crew)
    with contextlib.closing(setup.run.store()) as store:
        best = search(setup, store, prepare(setup))
        first = refit.refit(setup, store, best, data, deadline=float("inf"))
        others = refit.repeated(setup, store, best, data, deadline=float("inf"))
        return refit.united(setup, store, best, first, data), others


def test_workers_train_all_networks_and_come_to_the_same(tmp_path):
    study, data = CASES["images by fit"]
    crew = Crew()
    done, others = by(crew, study, data, tmp_path / "many")
    assert sorted(crew.done) == [0, 1, 2] and done.networks == 3
    alone = run_of(tmp_path / "alone", study, data).metrics
    assert [one["test"] for one in others] == [
        pytest.approx(one["test"], rel=1e-3) for one in alone["refitted_again"]]  # fmt: skip
    assert done.test == pytest.approx(alone["refit"]["test"], rel=1e-3)
    events = tmp_path / "many" / "tensorboard" / "refit"
    assert {"train", "weights"} <= {path.name for path in events.iterdir()}


@pytest.mark.slow
def test_a_network_whose_worker_dies_is_trained_again_until_it_is_at_fault(tmp_path):
    study, data = CASES["images by fit"]
    done, others = by(Crew(Counter({0: 1, 2: refits.AGAIN})), study, data, tmp_path / "some")
    assert done.networks == 3 and len(others) == 2
    with pytest.raises(Exception, match=f"refit 2 of trial 0 ended its worker {refits.AGAIN + 1} times"):
        by(Crew(Counter({1: 9})), study, data, tmp_path / "always")


def test_refits_that_diverge_at_workers_are_left_out_but_for_the_first_which_is_tried_again(tmp_path, monkeypatch):
    study, data = CASES["images by fit"]
    bad = {derive(0, "refit", 0), derive(0, "refit again", 1)}

    def sometimes(common, job):
        diverges = job.keep_weights and job.seed in bad
        job = replace(job, settings=dict(job.settings, learning_rate=1e30)) if diverges else job
        return work(common, job)

    monkeypatch.setattr(refits, "work", sometimes)
    done, others = by(Crew(), study, data, tmp_path)
    assert done.networks == 2 and [one["test"] is None for one in others] == [False, True]
    with contextlib.closing(Run(tmp_path).store()) as store:
        assert [text.partition(":")[0] for text in store.events("refit")] == ["attempt 0"]


OWN = '''"""Curves by three networks."""

from kerashw.models import mlp
from kerashw.space import Choice, Grid
from kerashw.study import Study

STUDY = Study(data="curve", model=mlp, search=Grid(), refits=3, ensemble=True,
              settings=dict(hidden=(3,), learning_rate=Choice(0.01, 0.02), batch_size=8, epochs=2))
'''


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """The folder of an ensemble that was made by `tune`, with figures and page, and what was printed."""
    folder = tmp_path_factory.mktemp("typed")
    x = np.linspace(-1, 1, 32, dtype="float32")[:, None]
    np.savez(folder / "curve.npz", x_train=x[::2], y_train=x[::2] ** 2, x_test=x[1::2], y_test=x[1::2] ** 2)
    (folder / "own.py").write_text(OWN, encoding="utf-8")
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as told:
        assert run_verb(tune.main, ["--task", "own.py", "--data-dir", str(folder), "--name", "it", "-q"]) == 0
    return folder / "saved_models" / "it", told.getvalue()


def test_tune_and_its_page_say_what_the_networks_come_to_alone_and_that_the_model_is_all_of_them(typed):
    folder, told = typed
    assert "  3 seeds     mse" in told and "(the networks of the model, each alone)" in told
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Each of 3 networks" in page and "The model is 3 such networks" in page
    assert "the model is 3 networks, trained so with a seed each, and answers with the mean of their answers" in page


def test_figures_of_one_network_say_so_and_those_of_the_answers_do_not(typed):
    folder, _ = typed
    notes = {file.stem: json.loads(file.read_text(encoding="utf-8"))["remark"] for file in folder.glob("figures/*.json")}
    assert len(notes) > 8 and "layers" in notes
    for name, note in notes.items():
        within = FIGURES[name.removesuffix("_dense_1").removesuffix("_output")].within
        assert note == ("The first of the 3 networks of the model." if within else None), name
    band = load_run(folder).figure("fit").axes[0].get_legend_handles_labels()[1]
    assert "each of 3 networks, of which the model is the mean" in band


def test_an_ensemble_is_evaluated_answers_and_is_exported_as_any_model(typed, capsys):
    folder, _ = typed
    run = load_run(folder)
    assert run_verb(evaluate.main, [str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mse"] == pytest.approx(run.metrics["test"]["mse"])
    assert run_verb(export.main, [str(folder), "--format", "litert"]) == 0
    x = np.array([[0.25]], "float32")
    np.testing.assert_allclose(load_format(run.run, "litert")(x)["y"], run.predict(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options, refits, is_ensemble", [
    (["--ensemble", "5"], 5, True), (["--ensemble", "1"], 1, False), (["--refits", "2"], 2, True), ([], 3, True),
])  # fmt: skip
def test_the_number_of_networks_can_be_typed(options, refits, is_ensemble, tmp_path):
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    (one,) = request.resolve(tune.parser().parse_args(["--task", str(tmp_path / "own.py"), *options]))
    assert (one.study.refits, one.study.ensemble) == (refits, is_ensemble)
