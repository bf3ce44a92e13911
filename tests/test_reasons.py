"""Why a number is not the published one: computed from the runs, and silent without them."""

import json

import pytest

from benchmarks.reasons import against, bounded_loss


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


def test_without_the_runs_there_is_nothing_to_say(tmp_path):
    assert bounded_loss(tmp_path) is None and against("mine", "theirs")(tmp_path) is None
