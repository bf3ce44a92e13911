"""What a run suggests to try next: said where the trials show it, and not where they do not."""

import numpy as np
import pytest

from kerashw.advice import epochs_enough, held_back, idle_units, useless_regularisers, where_the_best_lie
from kerashw.narrowing import narrowed
from kerashw.values import parse_setting

RANGE = {"real": {"low": 0.0, "high": 0.5, "log": False, "step": None}}
RATES = {"real": {"low": 1e-4, "high": 1.0, "log": True, "step": None}}
WIDTHS = {"int": {"low": 4, "high": 40, "log": False, "step": None}}


def trials(score, count=60, seed=0):
    """Random trials of a space with a dropout, a rate, a width and a kind, scored by a function of these."""
    generator = np.random.default_rng(seed)
    settings = [
        dict(dropout=generator.uniform(0, 0.5), rate=10 ** generator.uniform(-4, 0),
             width=int(generator.integers(4, 41)), kind=str(generator.choice(["a", "b", "c"])))
        for _ in range(count)
    ]  # fmt: skip
    return [(one, score(one) + 0.05 * generator.standard_normal()) for one in settings]


@pytest.mark.parametrize("score, said", [
    (lambda one: one["dropout"], "made scores worse"),
    (lambda one: np.log10(one["rate"]), "did not help"),
    (lambda one: -one["dropout"], None),
    (lambda one: (one["dropout"] - 0.3) ** 2 * 20, None),
])  # fmt: skip
def test_a_regulariser_is_given_up_where_more_of_it_is_no_better(score, said):
    found = useless_regularisers({"dropout": RANGE}, trials(score, seed=1), "min")
    assert [said in one.text and one.options == "--set dropout=0" for one in found] == ([True] if said else [])


def test_of_few_trials_and_of_settings_that_regularise_nothing_nothing_is_said():
    assert useless_regularisers({"dropout": RANGE}, trials(lambda one: one["dropout"], count=8), "min") == []
    assert useless_regularisers({"rate": RATES}, trials(lambda one: one["rate"]), "min") == []


def test_the_direction_of_the_score_counts():
    worse = trials(lambda one: -one["dropout"])
    assert useless_regularisers({"dropout": RANGE}, worse, "max") and not useless_regularisers({"dropout": RANGE}, worse, "min")


def test_the_best_lie_where_the_score_says_and_the_option_is_one_that_tune_takes():
    spaces = {"rate": RATES, "width": WIDTHS, "kind": {"choice": ["a", "b", "c"]}}
    scored = trials(lambda one: abs(np.log10(one["rate"]) + 2) + 3 * (one["kind"] == "c"), count=200)
    (found,) = where_the_best_lie(spaces, scored, "min")
    assert "width" not in found.text and "kind a or b" in found.text
    options = [parse_setting(part) for part in found.options.removeprefix("--set '").removesuffix("'").split("' --set '")]
    (_, rate), (_, kind) = options
    assert kind.values == ("a", "b") and rate.low < 1e-2 < rate.high and rate.log and rate.high / rate.low < 1e3


def test_where_settings_tell_nothing_no_narrower_space_is_advised():
    assert where_the_best_lie({"rate": RATES, "width": WIDTHS}, trials(lambda one: 0.0), "min") == []


def test_a_narrower_space_lies_within_the_old_one_and_holds_the_best_quarter():
    spaces = {"dropout": RANGE, "rate": RATES, "width": WIDTHS}
    scored = trials(lambda one: one["width"] + one["rate"])
    found = narrowed(spaces, scored, "min")
    best = sorted(scored, key=lambda one: one[1])[:15]
    for name, space in found.items():
        ((kind, ends),), ((_, old),) = space.items(), spaces[name].items()
        assert old["low"] <= ends["low"] < ends["high"] <= old["high"]
        assert all(ends["low"] <= one[name] <= ends["high"] for one, _ in best)
        assert kind != "int" or isinstance(ends["low"], int)


def test_a_winner_at_an_end_is_told_but_not_at_zero_or_amid_the_range():
    spaces = {"dropout": RANGE, "rate": RATES, "width": WIDTHS}
    assert [one.text.split(",")[0] for one in held_back(spaces, dict(dropout=0.0, rate=0.9, width=4))] == [
        "The winner's rate", "The winner's width",
    ]  # fmt: skip
    assert held_back(spaces, dict(dropout=0.2, rate=0.01, width=20)) == []


def test_every_option_is_one_that_tune_takes_and_says_what_the_text_says():
    def space(low, high, kind="real", step=None):
        return {kind: dict(low=low, high=high, log=False, step=step)}

    def advised(space, values):
        trials = [({"momentum": value}, place) for place, value in enumerate(values)]
        return where_the_best_lie({"momentum": space}, trials, "min")[0]

    near_the_end = advised(space(0.0, 0.999), np.linspace(0.999, 0.0, 20).tolist())
    assert parse_setting(near_the_end.options.removeprefix("--set ").strip("'"))[1].high <= 0.999
    narrow = advised(space(0.98, 0.99), np.linspace(0.9811, 0.99, 20).tolist())
    assert parse_setting(narrow.options.removeprefix("--set ").strip("'"))[1].low < 0.99
    assert "from 150 to 153" in advised(space(4, 400, "int"), [150, 151, 153, 152, 150, *range(380, 395)]).text
    assert advised(space(0.0, 0.5, step=0.05), [0.1, 0.15, 0.2, 0.1, 0.15, *[0.5] * 15]).options is None
    trials = [({"hidden_1": value}, place) for place, value in enumerate(range(18, 38))]
    assert where_the_best_lie({"hidden_1": space(8, 128, "int")}, trials, "min")[0].options is None
    assert held_back({"degree": space(1, 10, "int")}, {"degree": 1}) == [] and epochs_enough([1], 2) == []


def test_epochs_in_the_middle_are_as_many_as_needed():
    assert epochs_enough([15, 16], 20) == [] and epochs_enough([1], 1) != epochs_enough([2], 2)


def test_layers_whose_units_work_stay_and_models_without_hidden_layers_have_none():
    assert idle_units({"dense_1": 0.2}, {"hidden": [10]}) == []
    assert idle_units({"conv_1": 0.9}, {"filters": [3]}) == []
    assert idle_units({"dense_1": 1.0, "dense_2": 0.3}, {"hidden": [10, 10]})[0].options == "--set 'hidden=(1, 7)'"
