"""Promoted Hyperband trials whose parents' states are damaged: these are trained again, and all ends as it would."""

from contextlib import closing

import numpy as np
import pytest
from test_recovery import DAMAGE
from test_search import LINES, SMALL, begun, rows_of, study_of, without_seconds

from kerashw.progress import Progress
from kerashw.run import Run
from kerashw.space import Choice, Hyperband
from tuning.oracles import expected_work
from tuning.pipeline import make_setup, write_trials
from tuning.promotion import parent_of
from tuning.search import prepare, search

RATES = Choice(*(round(0.001 * 1.7**place, 5) for place in range(12)))


def searched(setup):
    """The rows of trials.csv at the end of the search, from wherever it stands."""
    store = setup.run.store()
    search(setup, store, prepare(setup))
    write_trials(setup, store)
    store.close()
    return without_seconds(rows_of(setup.run))


@pytest.fixture(
    scope="module", params=[9, pytest.param(3, marks=pytest.mark.slow)], ids=["population", "fit"]
)
def whole(request, tmp_path_factory):
    """(study, folder, rows) of a Hyperband search, of three rounds in one loop or of two by fit."""
    study = study_of(Hyperband(factor=3), settings=dict(SMALL, learning_rate=RATES, epochs=request.param),
                     together=request.param == 9)  # fmt: skip
    folder = tmp_path_factory.mktemp("whole")
    return study, folder, searched(begun(folder, study, LINES))


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_state_of_a_trial_is_found_and_the_trial_is_trained_again(how, whole, capsys):
    study, folder, rows = whole
    setup = make_setup(study, LINES, Run(folder), seed=0, progress=Progress("toy"))
    run = setup.run
    store = run.store()
    line = [[trial for trial in store.trials() if "tuner/trial_id" in trial.proposed][-1].number]
    while (parent := store.trial(line[-1]).proposed.get("tuner/trial_id")) is not None:
        line.append(int(parent))
    for trial in store.trials()[line[0] :]:  # as if the search had been killed before the last promotion
        store.drop_trial(trial.number)
    store.close()
    damaged = [run.checkpoint_of(number, together=study.together) for number in line[1:]]
    for path in damaged:
        content = path.read_bytes()
        path.write_bytes(DAMAGE[how](content)) if DAMAGE[how] else path.unlink()
    assert searched(setup) == rows
    told = capsys.readouterr().err
    for number, path in zip(line[1:], damaged):
        assert f"{path.name}: " in told and f"trial {number} is trained again" in told
        assert path.exists() and (how == "deleted" or path.with_name(f"{path.name}.damaged-1").exists())
    for path in run.checkpoints.glob("*.damaged-*"):
        path.unlink()


def test_each_execution_of_a_promoted_trial_goes_on_from_its_own_state(tmp_path):
    settings = dict(SMALL, learning_rate=RATES, epochs=3)
    setup = begun(tmp_path, study_of(Hyperband(factor=3), settings=settings, executions=2, together=True), LINES)
    rows = searched(setup)
    with closing(setup.run.store()) as store:
        promoted, parent = next((trial.number, parent_of(store, trial.number)) for trial in store.trials()
                                if parent_of(store, trial.number) is not None)  # fmt: skip
        one, other = (setup.run.load_checkpoint(parent, execution, True) for execution in (0, 1))
        assert not all(np.array_equal(*pair) for pair in zip(one, other))
        store.drop_trial(promoted)
    setup.run.checkpoint_of(parent, 1, True).unlink()
    again = make_setup(setup.study, LINES, setup.run, seed=0, progress=Progress("toy", quiet=True))
    assert searched(again) == rows


def test_the_work_of_hyperband_counts_every_execution(tmp_path):
    def epochs(executions):
        study = study_of(Hyperband(factor=3), settings=dict(SMALL, learning_rate=RATES, epochs=9), executions=executions)
        return expected_work(prepare(begun(tmp_path / str(executions), study, LINES)), study)[1]

    assert epochs(2) == 2 * epochs(1)
