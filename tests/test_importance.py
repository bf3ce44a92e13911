"""Which settings decide the score: found where they do, shared fairly, and uncertain where it is."""

import numpy as np
import pytest

from kerashw.errors import UsageError
from kerashw.figures import importance as importance_figure
from kerashw.importance import importance


def search(count, seed=0):
    """Trials of a made-up search, and scores that hang on the rate most, on the optimizer less, on noise not at all."""
    generator = np.random.default_rng(seed)
    trials = [
        dict(rate=float(10 ** generator.uniform(-4, -1)), optimizer=str(generator.choice(["adam", "sgd"])),
             noise=float(generator.uniform()))
        for _ in range(count)
    ]  # fmt: skip
    scores = [(np.log10(trial["rate"]) + 2.5) ** 2 + 0.5 * (trial["optimizer"] == "sgd") for trial in trials]
    return trials, scores


@pytest.fixture(scope="module")
def found():
    return importance(*search(80), log=("rate",))


def test_the_settings_that_decide_are_found_in_their_order(found):
    rate, optimizer, noise = found.shares
    assert found.settings == ("rate", "optimizer", "noise")
    assert rate > optimizer > 0.05 > noise
    assert found.certain and found.trials == 80


def test_shares_sum_to_one_and_have_a_spread(found):
    assert sum(found.shares) == pytest.approx(1)
    assert 0 < found.spreads[0] < 0.3 and 0 < found.spreads[1] < 0.3


def test_the_seed_decides_and_another_seed_agrees_within_the_spread(found):
    trials, scores = search(80)
    assert importance(trials, scores, log=("rate",)) == found
    other = importance(trials, scores, log=("rate",), seed=1)
    assert other != found
    assert abs(other.shares[0] - found.shares[0]) < 3 * found.spreads[0]


def test_the_direction_of_the_score_makes_no_great_difference(found):
    trials, scores = search(80)
    other = importance(trials, [-score for score in scores], log=("rate",))
    np.testing.assert_allclose(other.shares, found.shares, atol=0.1)


def test_one_trial_that_exploded_does_not_outweigh_the_others(found):
    trials, scores = search(80)
    exploded = scores.copy()
    exploded[int(np.argmax(scores))] = 1e30
    np.testing.assert_allclose(importance(trials, exploded, log=("rate",)).shares, found.shares, atol=1e-9)


def test_trials_without_a_score_do_not_count(found):
    trials, scores = search(80)
    more = importance([*trials, *trials[:2]], [*scores, None, float("nan")], log=("rate",))
    assert more.trials == 80 and more.shares == found.shares


@pytest.mark.parametrize("count", [4, 6, 9])
def test_few_trials_are_told_to_be_uncertain(count):
    found = importance(*search(count))
    assert not found.certain
    assert "Uncertain: fewer than 10 trials" in found.note or "no setting tells anything" in found.note
    assert len(found.shares) == 3 and all(np.isfinite(found.shares))


@pytest.mark.parametrize(
    "count, note",
    [(0, "at least 4 trials with a score, there are 0"), (1, "there is 1"), (3, "there are 3")],
)
def test_fewer_than_four_trials_say_nothing(count, note):
    trials, scores = search(5)
    found = importance(trials, scores[:count] + [None] * (5 - count))
    assert note in found.note and np.isnan(found.shares).all() and not found.certain


def test_equal_scores_say_nothing():
    trials, _ = search(20)
    found = importance(trials, [0.5] * 20)
    assert found.note == "Not known: all 20 trials have the same score." and np.isnan(found.shares).all()


def test_scores_of_pure_chance_are_not_called_certain():
    trials, _ = search(60)
    assert not importance(trials, np.random.default_rng(5).normal(size=60).tolist()).certain


def test_a_single_setting_has_it_all():
    found = importance([dict(rate=float(rate)) for rate in range(30)], list(range(30)))
    assert found.shares == (1.0,) and found.certain


def test_a_setting_that_never_varies_has_nothing():
    trials, scores = search(40)
    found = importance([dict(trial, epochs=50) for trial in trials], scores, log=("rate",))
    assert found.shares[found.settings.index("epochs")] == 0


def test_without_settings_there_is_nothing_to_share():
    assert importance([{}] * 20, list(range(20))).settings == ()


def test_settings_may_be_names_tuples_none_or_missing():
    values = [(64, 32), [128], None, "auto"]
    trials = [{"hidden": values[number % 4]} for number in range(39)] + [{}]
    found = importance(trials, [float(number % 4) for number in range(39)] + [2.0])
    assert found.shares == (1.0,)


def test_a_logarithmic_setting_may_hold_a_zero():
    trials = [dict(l2=0.1 * number) for number in range(20)]
    assert importance(trials, list(range(20)), log=("l2",)).shares == (1.0,)


def test_another_number_of_scores_than_of_trials_is_refused():
    with pytest.raises(UsageError, match="2 trials but 1 scores"):
        importance([{}, {}], [1.0])


@pytest.mark.parametrize("count", [0, 5, 80])
def test_what_was_found_can_be_drawn(count):
    found = importance(*search(count), log=("rate",))
    assert found.note in importance_figure(**found.numbers()).caption
