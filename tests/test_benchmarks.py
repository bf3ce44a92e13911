"""The benchmarks' own arithmetic, their table and files, and what they do where a peer is missing; no times."""

import ast
import doctest
import importlib
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import floor, gaps, runs
from benchmarks.__main__ import BENCHMARKS, main, rows_of
from benchmarks.asked import Asked
from benchmarks.functions import FUNCTIONS, grid, key, regression_table, score_of, study_of
from benchmarks.problem import Problem, Training, whole_search
from benchmarks.report import markdown, read, save, table
from benchmarks.rows import Row, Target, with_peer
from benchmarks.significance import p_worse
from kerashw.datasets import Dataset
from kerashw.space import Choice

CHECKOUT = Path(__file__).parent.parent
MEASURED = {
    "date": "2026-01-31", "command": "python -m benchmarks", "size": "quick", "real_data": True, "seconds": 1.0,
    "machine": {"processor": "a processor", "cores": 2, "memory_gb": 24.0, "system": "Linux"},
    "software": {"python": "3.11.7", "tensorflow": "2.21.0", "torch": None, "git_commit": "0123456789abcdef"},
}  # fmt: skip
FAST = Row(what="fast", ours=2.0, peer=400.0, peer_name="fit", target=Target("ratio", ">=", 150), note="a note")
SLOW = Row(what="slow | wide", ours=90.0, peer=100.0, unit="images/s", more_is_better=True,
           target=Target("ratio", ">=", 1.15), note="a note")  # fmt: skip
BROKEN = Row(what="broken", failed="ValueError: no such thing")


@pytest.mark.parametrize(
    "name", ["asked", "rows", "report", "floor", "significance", "functions", "problem", "images", "gaps", "__main__"]
)
def test_the_examples_in_the_benchmarks_hold(name):
    module = importlib.import_module(f"benchmarks.{name}")
    assert doctest.testmod(module).failed == 0


# ---- the floor


def test_the_floor_of_a_small_net_is_what_a_hand_counts():
    # 1-2-1. Per item: forward 4 + 2 + 8 + 4 + 1 = 19, backward 4 + 1 + 4 + 6 + 4 + 2 = 21, loss 3 + 2.
    # Three items in two batches, 7 weights of 12 operations; two validation items of 19 + 3.
    assert floor.epoch((1, 2, 1), items=3, batch_size=2, held=2) == 3 * (19 + 21 + 5) + 2 * 7 * 12 + 2 * (19 + 3)


def test_the_floor_counts_the_products_of_every_layer_and_the_weights_of_the_model():
    from kerashw.models import mlp

    widths = (1, 128, 64, 1)
    products = 2 * (1 * 128 + 128 * 64 + 64 * 1)
    assert floor.forward(widths, 1) == products + (128 + 64 + 1) + 4 * (128 + 64)
    more = floor.epoch(widths, items=20, batch_size=10, held=5) - floor.epoch(widths, items=20, batch_size=20, held=5)
    assert more == floor.ADAM * mlp(input_shape=(1,), outputs=1, hidden=(128, 64)).count_params()


def test_the_floor_grows_with_the_items_but_not_with_what_one_batch_leaves_over():
    epoch = [floor.epoch((1, 8, 1), items, 10, 5) for items in (71, 80)]
    assert epoch[1] - epoch[0] == 9 * (floor.forward((1, 8, 1), 1) + floor.backward((1, 8, 1), 1) + 5)


# ---- rows, targets, extrapolation


@pytest.mark.parametrize("row, ratio, met", [
    (FAST, 200.0, True),
    (SLOW, 0.9, False),
    (Row(what="limit", ours=9.0, target=Target("ours", "<=", 8)), None, False),
    (Row(what="seeds", ours=1.0, peer=2.0, has_ratio=False, p=0.2, target=Target("p", ">=", 0.05)), None, True),
    (Row(what="no peer", ours=1.0, target=Target("ratio", ">=", 2)), None, None),
    (Row(what="no target", ours=1.0, peer=3.0), 3.0, None),
    (Row(what="no time at all", ours=0.0, peer=3.0, target=Target("ratio", ">=", 2)), None, None),
], ids=lambda one: one.what if isinstance(one, Row) else None)  # fmt: skip
def test_a_row_is_judged_by_what_its_target_names(row, ratio, met):
    assert row.ratio == (None if ratio is None else pytest.approx(ratio))
    assert row.met is met


def test_a_search_is_extrapolated_from_each_training_with_its_own_epochs():
    trainings = [Training(first=1.0, later=0.1), Training(first=3.0, later=0.2)]
    assert whole_search(trainings, [11, 1], trials=4, per_trial=5) == pytest.approx(4 * 5 * (2.0 + 3.0) / 2)


def test_a_seed_by_seed_loss_is_called_worse_and_a_tie_is_not():
    values = np.random.default_rng(0).normal(size=10)
    assert p_worse(values + 3, values) < 0.001
    assert p_worse(values, values) >= 0.05
    assert p_worse(values + 3, values, more_is_better=True) > 0.99


# ---- table, JSON, README


def test_the_table_shows_numbers_targets_notes_and_failures():
    lines = table([row.plain() for row in (FAST, SLOW, BROKEN)]).splitlines()
    assert lines[0].split() == ["what", "kerashw", "peer", "ratio", "target", "met"]
    assert lines[1].split() == ["fast", "2", "s", "400", "s", "(fit)", "200", "x", ">=", "150", "x", "yes"]
    assert lines[2] == "    a note"
    assert lines[3].endswith("no")
    assert "failed" in lines[5] and lines[6] == "    ValueError: no such thing"


def test_what_is_saved_is_read_back_and_is_strict_json(tmp_path):
    measured = {**MEASURED, "rows": [row.plain() for row in (FAST, SLOW, BROKEN)]}
    save(tmp_path / "measured.json", measured)
    assert read(tmp_path / "measured.json") == json.loads(json.dumps(measured, allow_nan=False))
    assert read(tmp_path / "measured.json")["rows"][0]["ratio"] == 200.0


def test_the_readme_section_has_date_machine_command_table_and_each_note_once(tmp_path, capsys):
    save(tmp_path / "measured.json", {**MEASURED, "rows": [row.plain() for row in (FAST, SLOW, BROKEN)]})
    assert main(["--markdown", str(tmp_path / "measured.json")]) == 0
    section = capsys.readouterr().out
    flowing = " ".join(section.split())
    for part in ("## ", "2026-01-31", "2 cores of a processor", "python -m benchmarks", "commit 0123456789ab"):
        assert part in flowing
    assert "\n    python -m benchmarks\n" in section
    assert section.count("a note") == 1 and "torch" not in section and "STAND-IN" not in section
    rows = [line for line in section.splitlines() if line.startswith("|")]
    assert len(rows) == 5 and {line.replace("\\|", "").count("|") for line in rows} == {7}
    assert all(len(line) <= 120 for line in section.splitlines() if not line.startswith("|"))


def test_the_readme_section_says_that_stand_ins_were_measured():
    assert "STAND-INS" in markdown({**MEASURED, "real_data": False, "rows": [FAST.plain()]})


# ---- what is missing or fails


def test_a_missing_peer_is_a_row_that_says_how_to_install_it():
    row = with_peer("no_such_package", "a search", lambda: pytest.fail("it was measured"))
    assert row.what == "a search" and row.met is None and not row.failed
    assert "no_such_package is not installed" in row.note and "benchmarks/requirements.txt" in row.note


def test_a_failing_benchmark_keeps_the_rows_it_had_and_tells_its_reason():
    def measure(asked):
        yield FAST
        raise RuntimeError("the peer gave up")

    first, last = rows_of("start", Asked(), measure)
    assert (first.what, first.benchmark, first.failed) == ("fast", "start", "")
    assert (last.what, last.failed) == ("start", "RuntimeError: the peer gave up")


def test_the_exit_code_is_1_where_a_benchmark_failed_and_the_others_are_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(BENCHMARKS, "start", ("no_such_module:measure", ""))
    monkeypatch.setitem(BENCHMARKS, "pruning", ("asked:SIZES", ""))
    assert main(["--only", "start", "pruning", "--json", str(tmp_path / "measured.json")]) == 1
    rows = read(tmp_path / "measured.json")["rows"]
    assert [row["benchmark"] for row in rows] == ["start", "pruning"] and all(row["failed"] for row in rows)
    assert "failed" in capsys.readouterr().out


def test_a_command_that_fails_is_told_with_its_last_line(tmp_path):
    with pytest.raises(RuntimeError, match=r"ended with code 2: kerashw: --task 'no_such_study'"):
        runs.tune(Asked(), "no_such_study", out=tmp_path)


# ---- every benchmark can be found, and without anything heavy


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_has_a_function_that_measures(name):
    module, _, function = BENCHMARKS[name][0].partition(":")
    assert callable(getattr(importlib.import_module(f"benchmarks.{module}"), function))


def test_the_list_names_every_benchmark_and_imports_nothing_heavy():
    program = (
        "import sys; from benchmarks.__main__ import main; main(['--list'])\n"
        "print(*{'keras', 'tensorflow', 'torch', 'skorch', 'optuna', 'numpy'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=CHECKOUT, check=True
    )
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(BENCHMARKS)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("path", sorted((CHECKOUT / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_a_benchmark_module_can_be_imported_without_the_peers(path):
    at_top = [node for node in ast.parse(path.read_text(encoding="utf-8")).body
              if isinstance(node, (ast.Import, ast.ImportFrom))]  # fmt: skip
    names = {alias.name for node in at_top for alias in node.names} | {getattr(node, "module", "") for node in at_top}
    assert not {str(name).partition(".")[0] for name in names} & {"torch", "skorch", "optuna"}


def test_what_is_measured_does_not_know_its_benchmarks():
    sources = [path for room in ("kerashw", "tuning") for path in (CHECKOUT / room).rglob("*.py")]
    assert sources and not [path for path in sources if "import benchmarks" in path.read_text(encoding="utf-8")]


# ---- both sides do the same


def test_the_plain_keras_nets_have_the_studies_own_number_of_parameters():
    from benchmarks.images import Case, plain_model
    from kerashw.building import build_model

    for task in ("mnist", "fashion"):
        case = Case(task, False, 128, 8, 2, 3, None)
        ours = build_model(case.problem.study.model, case.settings(), input_shape=(28, 28), outputs=10)
        assert plain_model(task).count_params() == ours.count_params()
        assert plain_model(task, augmented=True).count_params() == ours.count_params()


@pytest.mark.parametrize("name", ["regression", "regression_cv"])
def test_the_torch_net_of_a_proposal_has_the_studies_own_number_of_parameters(name):
    pytest.importorskip("torch")
    from benchmarks.torch_loop import net
    from kerashw.building import build_model

    problem = Problem(name, None)
    study = problem.study
    values = {name: space.values[0] if isinstance(space, Choice) else space.low
              for name, space in study.searched.items()}  # fmt: skip
    settings = study.filled(values)
    ours = build_model(study.model, settings, input_shape=(1,), outputs=1)
    assert sum(array.numel() for array in net(settings).parameters()) == ours.count_params()


def test_the_torch_loop_learns():
    torch = pytest.importorskip("torch")
    from benchmarks.torch_loop import epochs_of, net

    torch.manual_seed(0)
    settings = dict(hidden=(8,), activation="tanh", optimizer="adam", learning_rate=0.05, batch_size=10, l2=1e-4)
    x = torch.linspace(-1, 1, 40)[:, None]
    errors = list(epochs_of(net(settings), settings, x, 2 * x, x, 2 * x, 20))
    assert len(errors) == 20 and errors[-1] < 0.2 * errors[0]


def test_proposals_come_back_as_the_settings_of_the_study():
    (settings,) = Problem("regression", None).settings_of([
        dict(hidden_1=64, hidden_2=256, dropout=0.25, learning_rate=0.001, batch_size=7)
    ])  # fmt: skip
    assert (settings["hidden"], settings["dropout"], settings["batch_size"]) == ((64, 256), 0.25, 7)
    assert settings["epochs"] == 1500


@pytest.mark.parametrize("side", ["ours", "KerasTuner", "Optuna TPE"])
def test_every_side_proposes_as_many_points_as_asked_within_the_range(side):
    if side.startswith("Optuna"):
        pytest.importorskip("optuna")
    from benchmarks.proposers import SIDES

    study, seen = study_of("Branin", 7, 5), []

    def score(values):
        seen.append(values)
        return score_of("Branin", None)(values)

    scores = [value for _, value in SIDES[side](study, score, 0)]
    assert len(scores) == len(seen) == 7 and min(scores) >= 0.397
    ends = FUNCTIONS["Branin"][1]
    assert all(low <= values[f"x_{place}"] <= high for values in seen for place, (low, high) in enumerate(ends, 1))


def test_a_table_of_scores_has_the_validation_error_of_each_point():
    points = [point for point in grid() if point["hidden_1"] == 64 and point["batch_size"] == 32][::9]
    table = regression_table(None, points, epochs=2)
    assert list(table) == [key(point) for point in points] and all(score > 0 for score in table.values())


@pytest.mark.parametrize("side", ["ours", pytest.param("KerasTuner", marks=pytest.mark.slow)])
def test_every_proposal_for_the_regression_table_stands_in_it(side):
    table = {key(point): float(number) for number, point in enumerate(grid())}
    assert len(table) == 3 * 3 * 9 * 3
    from benchmarks.proposers import SIDES

    scores = [value for _, value in SIDES[side](study_of("regression", 6, 4), score_of("regression", table), 0)]
    assert len(scores) == 6 and set(scores) <= set(table.values())


# ---- the gaps of the regression data


def test_the_winner_of_a_run_is_set_beside_the_published_one_where_there_is_one(tmp_path):
    file = tmp_path / "metrics.json"
    assert gaps.winner_of(file) is None
    settings = dict(hidden=[64, 256], activation="sigmoid", dropout=0.0, optimizer="adam", learning_rate=0.01, batch_size=9,
                    l2=1e-5, epochs=7)  # fmt: skip
    file.write_text(json.dumps({"settings": settings}))
    found = gaps.winner_of(file)
    assert found["hidden"] == (64, 256) and {"l2", "epochs"}.isdisjoint(found) and found["batch_size"] == 9


def test_the_gaps_have_every_length_and_way_and_the_mean_of_curves_errs_no_more_than_the_curves():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-3, -1, (10, 1)), rng.uniform(1, 3, (10, 1))]).astype("float32")
    test = np.float32([[-2], [0], [2]])
    dataset = Dataset("line", x, 2 * x, test, 2 * test, classes=(), source="made in the test")
    assert gaps.about(dataset) == {
        "gaps": [(float(x[x < 0].max()), float(x[x > 0].min()))], "test_items": 3, "inside": 1}  # fmt: skip
    rows = gaps.measured(dataset, gaps.PUBLISHED, lengths=(2, 3), seeds=2)
    assert [(row["way"], row["epochs"]) for row in rows] == [*itertools.product(gaps.WAYS, (2, 3))]
    for row in rows:
        assert len(row["mse"]) == 2 and row["mse"][0] != row["mse"][1]
        assert 0 <= row["inside"] <= 1 and row["together"] <= np.mean(row["mse"])
