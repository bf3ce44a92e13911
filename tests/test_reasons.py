"""Why a number is not the published one: computed from the runs, and silent without them."""

import json

import pytest

from benchmarks.reasons import against, bounded_loss, unseen


@pytest.fixture
def out(tmp_path):
    """A folder with a run whose loss was not bounded, and two runs of one net."""
    for name in ("mnist_init/normal", "mine", "theirs"):
        (tmp_path / name).mkdir(parents=True)
    wrong = [0.3, 0.2, 0.1, 0.1]
    rows = "".join(f"{epoch},{1 - share},{100 * share}\n" for epoch, share in enumerate(wrong, 1))
    (tmp_path / "mnist_init/normal/history.csv").write_text(f"epoch,accuracy,loss\n{rows}")
    bound = dict(published=dict(per_epoch=[10 * 0.25, 10 * 0.15, 10 * 0.1, 10 * 0.1]))
    (tmp_path / "mnist_init/normal/metrics.json").write_text(json.dumps(bound))
    for name, error, averaged in (("mine", 0.05, 25), ("theirs", 0.2, 1)):
        metrics = dict(test=dict(mse=error), winner=dict(batch_size=8, l2=error), refit=dict(epochs=1500, averaged=averaged))
        (tmp_path / name / "metrics.json").write_text(json.dumps(metrics))
    gaps = dict(gaps=[[-3.03, -0.94]], test_items=100, inside=43, seeds=2)
    errors = {("plain", 10): [0.3, 0.1], ("plain", 20): [0.2, 0.1], ("calm", 10): [0.3, 0.2], ("calm", 20): [0.06, 0.04]}
    rows = [dict(way=way, epochs=epochs, mse=mse, inside=0.5, together=0.15) for (way, epochs), mse in errors.items()]
    settings = dict(batch_size=10, learning_rate=0.00098362)
    gaps["winners"] = [dict(name=name, settings=settings, rows=rows) for name in ("the published winner", "our winner")]
    (tmp_path / "regression_gaps.json").write_text(json.dumps(gaps))
    return tmp_path


def test_a_bounded_loss_is_told_by_its_ratio_to_the_share_of_wrong_items(out):
    told = bounded_loss(out)
    assert "has 30 here in the first epoch and 10 in the last" in told
    assert "where the report has 2.5 and 1.0" in told
    assert "10.0 times the share of training items that our net gets wrong" in told


def test_two_studies_of_one_net_are_set_against_each_other(out):
    told = against("mine", "theirs", "And this.")(out)
    assert told.startswith("Test mse 0.05 where [theirs](#theirs) has 0.2.")
    assert "batch_size 8, l2 0.05; there: batch_size 8, l2 0.2." in told
    assert told.endswith("1,500 epochs, its weights averaged over the last 25; there: 1,500 epochs. And this.")


def test_what_lies_where_no_item_is_is_told_by_a_table_of_lengths_and_ways_and_by_the_best_of_them(out):
    told = unseen(out)
    assert told.startswith("43 of 100 test items lie between -3.03 and -0.94, where")
    for name in ("The published winner", "Our winner"):
        assert f"\n{name} (batch_size 10, learning_rate 0.0009836):\n" in told
    assert "| epochs | plain | in the gaps | of the mean | calm | in the gaps | of the mean |" in told
    assert "| 10 | 0.2 ± 0.14 | 50 % | 0.15 | 0.25 ± 0.071 | 50 % | 0.15 |" in told
    assert told.endswith("The best mean is 0.05, at 20 epochs (calm); single seeds lie between 0.04 and 0.3.")


def test_without_the_runs_there_is_nothing_to_say(tmp_path):
    assert all(why(tmp_path) is None for why in (bounded_loss, unseen, against("mine", "theirs")))
