"""A study checks itself: what it holds, what it refuses and how it says so, arms, presets and its JSON form."""

import functools
import json
import math
from dataclasses import FrozenInstanceError

import pytest

from kerashw.augment import Augment
from kerashw.errors import UsageError
from kerashw.models import cnn, linear, mlp
from kerashw.settings import TRAINING
from kerashw.space import Bayesian, Choice, Grid, Hyperband, Int, Random, Real
from kerashw.objectives import OBJECTIVES
from kerashw.study import Published, Study


def study(**changes):
    """A small study that is right, with some changes."""
    small = dict(data="regression", model=mlp, settings=dict(hidden=(8,), epochs=3), search=Random(trials=4))
    return Study(**{**small, **changes})


def refusal(**changes):
    with pytest.raises(UsageError) as error:
        study(**changes)
    assert "\n" not in str(error.value)
    return str(error.value)


def no_builder(width):
    """Takes nothing that the data decide."""


def with_policy(*, input_shape, outputs, dtype_policy="float32"):
    """Takes what training takes."""


WRONG = {
    "data of no name": (dict(data=""), "data must be the name of a data set"),
    "data that are no name": (dict(data=5), "data must be the name of a data set, such as 'mnist', got 5"),
    "a model by its name": (dict(model="mlp"), "model must be a builder, a function such as"),
    "a model that is made already": (dict(model=functools.partial(mlp, l2=0.1)), "model must be a builder"),
    "a builder that takes no shape": (dict(model=no_builder, settings={}), "must take input_shape and outputs"),
    "settings that are no dict": (dict(settings=[("epochs", 3)]), "settings must be a dict"),
    "a key of nobody": (dict(settings=dict(widht=3)), "setting 'widht' is no keyword of mlp nor of training"),
    "a key of another builder": (dict(settings=dict(filters=(3,))), "'filters' is no keyword of mlp"),
    "a key the data decide": (dict(settings=dict(outputs=3)), "'outputs' is no keyword of mlp"),
    "a wrong value": (dict(settings=dict(momentum=1.5)), "momentum must be a number from 0 to below 1, got 1.5"),
    "a wrong choice": (dict(settings=dict(optimizer=Choice("adam", "lion"))), "got 'lion'"),
    "a range that ends too high": (dict(settings=dict(dropout=Real(0, 1))), "dropout must be a number from 0 to"),
    "a range that begins too low": (dict(settings=dict(batch_size=Int(0, 4))), "batch_size must be"),
    "a wrong member of a tuple": (dict(settings=dict(hidden=(Choice(8, "x", 4), 4))), "got ('x', 4)"),
    "a range in the wrong setting": (dict(settings=dict(hidden=Int(4, 8))), "hidden must be a tuple"),
    "reals for whole numbers": (dict(settings=dict(batch_size=Real(4, 8))), "batch_size must be a whole number"),
    "reals for whole numbers in a tuple": (dict(settings=dict(hidden=(Real(4, 8), 4))), "hidden must be a tuple of"),
    "folds of 1": (dict(folds=1), "folds must be 0 (one hold-out part) or at least 2, got 1"),
    "folds below 0": (dict(folds=-1), "folds must be a whole number of at least 0"),
    "folds in halves": (dict(folds=2.5), "folds must be a whole number"),
    "no executions": (dict(executions=0), "executions must be a whole number of at least 1"),
    "executions that are a truth value": (dict(executions=True), "executions must be a whole number"),
    "no refit epochs": (dict(refit_epochs=0), "refit_epochs must be a whole number of at least 1"),
    "no samples": (dict(samples=0), "samples must be a whole number of at least 1"),
    "nothing to validate on": (dict(validation=0), "validation is the fraction held out, between 0 and 1"),
    "nothing to train on": (dict(validation=1.0), "validation is the fraction held out"),
    "validation of NaN": (dict(validation=math.nan), "validation is the fraction held out"),
    "validation in words": (dict(validation="half"), "validation is the fraction held out"),
    "another epoch to score": (dict(score_epoch="first"), "score_epoch must be one of ('best', 'last')"),
    "another refit": (dict(refit="none"), "refit must be one of ('all', 'stop')"),
    "an ensemble of one": (dict(ensemble=True), "let there be more (--ensemble 5), or a single network (--ensemble 1"),
    "an ensemble in numbers": (dict(ensemble=3, refits=3), "ensemble must be True or False, got 3"),
    "an ensemble within a limit": (dict(ensemble=True, refits=2, parameters=(1, 9)), "parameters=(least, most) is of one"),
    "another objective": (dict(objective="loss"), f"objective must be one of {', '.join(OBJECTIVES)}, got 'loss'"),
    "a budget upside down": (dict(parameters=(9, 1)), "must be in order"),
    "a budget of one end": (dict(parameters=9), "two whole numbers, (least, most), got 9"),
    "a budget of three": (dict(parameters=(1, 2, 3)), "two whole numbers"),
    "a momentum that nothing uses": (
        dict(settings=dict(momentum=Real(0.0, 0.9))), "momentum is searched, but adam would ignore it"),
    "a builder with a keyword of training's": (
        dict(model=with_policy, settings={}), "with_policy takes dtype_policy, which is a setting of training"),
    "a loop in bfloat16": (
        dict(settings=dict(dtype_policy=Choice("float32", "mixed_bfloat16")), together=True), "leave it or dtype_policy out"),
    "patience for the last epoch": (
        dict(settings=dict(patience=3), score_epoch="last"), "patience waits for a better epoch"),
    "an arm with items of its own": (dict(arms=dict(few=dict(samples=5))), "arms are compared on the same items"),
    "a published number alone": (dict(published=0.98), "published must be Published("),
    "a search by its name": (dict(search="random"), "search must be Grid, Random, Bayesian or Hyperband"),
    "a kind of search": (dict(search=Grid), "search must be Grid, Random, Bayesian or Hyperband"),
    "a grid without values": (
        dict(search=Grid(), settings=dict(learning_rate=Real(1e-4, 1e-2, log=True))),
        "a grid needs values for learning_rate: write Choice(...) or Real(low=0.0001, high=0.01, log=True, step=None)",
    ),
    "a grid without values in a tuple": (
        dict(search=Grid(), settings=dict(hidden=(8, 8), dropout=(0, Real(0, 0.5)))),
        "a grid needs values for dropout_2",
    ),
    "hyperband with folds": (dict(search=Hyperband(), folds=5), "which folds would mix up: use --folds 0, or --tuner"),
    "hyperband over epochs": (
        dict(search=Hyperband(), settings=dict(epochs=Choice(5, 10))), "Hyperband itself decides the epochs",
    ),
    "hyperband by the last epoch": (dict(search=Hyperband(), score_epoch="last"), "leave score_epoch='best'"),
    "arms that are no dict": (dict(arms=("a", "b")), "arms must be a dict"),
    "an arm that is no folder": (dict(arms={"a/b": {}}), "arm 'a/b': a name of letters, digits and _"),
    "an arm that is no text": (dict(arms={1: {}}), "arm 1: a name of letters"),
    "an arm without changes": (dict(arms=dict(adam="adam")), "arm 'adam' must be a dict of changes, got 'adam'"),
    "a wrong value in an arm": (dict(arms=dict(a={}, b=dict(epochs=0))), "arm 'b': epochs must be a whole number"),
    "quick that is no dict": (dict(quick=3), "quick must be a dict"),
    "a wrong key in quick": (dict(quick=dict(epohcs=3)), "quick: setting 'epohcs' is no keyword of mlp"),
    "a wrong value in quick": (dict(quick=dict(folds=1)), "quick: folds must be 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_declaration_is_refused_with_the_rule_it_breaks(case):
    changes, told = WRONG[case]
    assert told in refusal(**changes)


def test_a_wrong_key_is_answered_with_the_nearest_and_with_all_that_are_allowed():
    told = refusal(settings=dict(learning_rat=0.1))
    assert "Did you mean 'learning_rate'?" in told
    for name in (*TRAINING, "hidden", "activation", "dropout", "l2", "augment"):
        assert name in told.split("Allowed: ")[1]


def test_a_key_far_from_all_others_is_answered_without_a_guess():
    assert "Did you mean" not in refusal(settings=dict(zzzzzz=1))


def test_a_study_needs_its_fields_by_name_and_knows_no_others():
    with pytest.raises(TypeError, match="search"):
        Study(data="mnist", model=mlp, settings={})
    with pytest.raises(TypeError, match="trials"):
        study(trials=3)


def test_a_study_is_frozen_and_does_not_change_with_the_callers_dict():
    settings = dict(hidden=(8,), epochs=3)
    declared = study(settings=settings)
    settings["epochs"] = 99
    assert declared.settings["epochs"] == 3
    with pytest.raises(FrozenInstanceError):
        declared.folds = 5


# --- what is searched


def test_what_is_a_choice_or_a_range_is_searched_and_the_members_of_a_tuple_are_numbered():
    declared = study(
        model=cnn,
        settings=dict(
            filters=(8, Int(4, 16)), hidden=(Choice(64, 128), 64), pool=Choice("max", ("max", None)),
            learning_rate=Real(1e-4, 1e-2, log=True), momentum=0.9,
        ),
    )  # fmt: skip
    assert declared.searched == {
        "filters_2": Int(4, 16),
        "hidden_1": Choice(64, 128),
        "pool": Choice("max", ("max", None)),
        "learning_rate": Real(1e-4, 1e-2, log=True),
    }


def test_filled_gives_every_setting_as_a_constant():
    declared = study(settings=dict(hidden=(Choice(64, 128), 32, Int(4, 8)), optimizer=Choice("adam", "sgd"), epochs=7))
    filled = declared.filled({"hidden_1": 128, "hidden_3": 5, "optimizer": "sgd"})
    assert filled == {**TRAINING, "hidden": (128, 32, 5), "optimizer": "sgd", "epochs": 7}


def test_nothing_is_searched_where_all_is_constant():
    assert study().searched == {}
    assert study().filled({}) == {**TRAINING, "hidden": (8,), "epochs": 3}


def test_a_choice_becomes_a_constant_by_one_token_and_back():
    searched = study(settings=dict(hidden=(8,), learning_rate=Choice(0.1, 0.01)))
    assert list(searched.searched) == ["learning_rate"]
    assert searched.but(learning_rate=0.1).searched == {}
    assert list(searched.but(learning_rate=0.1).but(hidden=(Choice(4, 8),)).searched) == ["hidden_1"]


# --- changes, arms, presets


def test_but_changes_fields_and_settings_and_leaves_the_original_alone():
    original = study()
    changed = original.but(folds=5, batch_size=64, search=Grid())
    assert (changed.folds, changed.search, changed.settings["batch_size"]) == (5, Grid(), 64)
    assert changed.settings["hidden"] == original.settings["hidden"]
    assert original == study()


def test_but_may_give_whole_new_settings_and_further_ones():
    assert study().but(settings=dict(hidden=(4,))).settings == {"hidden": (4,)}


@pytest.mark.parametrize("changes", [dict(folds=1), dict(momentum=2), dict(nothing=3), dict(model=linear)])
def test_but_checks_the_result(changes):
    with pytest.raises(UsageError):
        study().but(**changes)


def test_an_arm_is_the_common_study_with_its_own_changes():
    declared = study(
        arms=dict(
            sgd=dict(optimizer="sgd", learning_rate=Choice(0.1, 0.01), search=Grid()),
            wide=dict(hidden=(64,), folds=4, published=Published("val_mse", 0.1, "nobody-1900")),
            line=dict(model=linear, settings=dict(degree=1)),
        )
    )
    sgd, wide, line = (declared.arm(name) for name in declared.arms)
    assert (sgd.settings["optimizer"], sgd.settings["hidden"], sgd.search) == ("sgd", (8,), Grid())
    assert (wide.settings["hidden"], wide.folds, wide.published.value) == ((64,), 4, 0.1)
    assert (line.model, line.settings) == (linear, {"degree": 1})
    assert not sgd.arms and not wide.arms and not line.arms


def test_what_only_the_arms_make_whole_is_no_fault_of_the_common_part():
    declared = study(settings=dict(filters=(4,)), arms=dict(a=dict(model=cnn), b=dict(model=cnn, epochs=2)))
    assert declared.arm("b").settings == {"filters": (4,), "epochs": 2}


def test_the_preset_quick_applies_its_changes_and_paper_none():
    declared = study(quick=dict(search=Random(trials=2), epochs=1, folds=3))
    quick, paper = declared.at("quick"), declared.at("paper")
    assert (quick.search.trials, quick.settings["epochs"], quick.folds) == (2, 1, 3)
    assert (paper.search.trials, paper.settings["epochs"], paper.folds) == (4, 3, 0)
    assert paper.declaration() == declared.declaration()


def test_at_a_preset_the_changes_of_another_stand_in_no_ones_way():
    declared = study(quick=dict(search=Hyperband()))
    assert declared.at("paper").but(folds=5).folds == 5


def test_an_arm_inherits_quick_or_has_its_own():
    declared = study(quick=dict(epochs=1), arms=dict(a={}, b=dict(quick=dict(epochs=2))))
    assert [declared.arm(arm).at("quick").settings["epochs"] for arm in declared.arms] == [1, 2]


# --- searches that go with some studies only


@pytest.mark.parametrize("search", [Grid(), Random(trials=3), Bayesian(trials=3)])
def test_every_search_but_hyperband_takes_folds_and_searched_epochs(search):
    declared = study(search=search, folds=3, settings=dict(epochs=Choice(1, 2)), score_epoch="last")
    assert declared.folds == 3


def test_a_grid_takes_whole_numbers_choices_and_stepped_ranges():
    settings = dict(batch_size=Int(4, 6), momentum=Real(0, 0.9, step=0.3), optimizer=Choice("sgd", "rmsprop"))
    assert list(study(search=Grid(), settings=settings).searched) == list(settings)


# --- JSON

RICH = dict(
    data="mnist", model=cnn, search=Bayesian(trials=5, initial=2), folds=3, parameters=(10, 10**6), samples=500,
    published=Published("test_accuracy", 0.99, "nobody-1900"),
    settings=dict(
        filters=(Choice(4, 8), 16), pool=Choice("max", None, ("max", None)), hidden=(Int(8, 64, log=True, step=2),),
        learning_rate=Real(1e-4, 1e-2, log=True), augment=Augment(rotation=20), patience=None,
        kernel_initializer=dict(class_name="RandomNormal", config=dict(mean=0.0, stddev=1.0)),
    ),
)  # fmt: skip


@pytest.mark.parametrize("declared", [study(), study(search=Hyperband()), Study(**RICH)], ids=["plain", "band", "rich"])
def test_a_declaration_is_strict_json_and_the_same_after_a_round_trip(declared):
    declaration = declared.declaration()
    assert json.loads(json.dumps(declaration, allow_nan=False)) == declaration


def test_the_declaration_tells_two_studies_apart_in_any_field_or_setting():
    one = Study(**RICH)
    for changes in (
        dict(data="fashion"), dict(search=Bayesian(trials=6, initial=2)), dict(search=Random(trials=5)), dict(folds=4),
        dict(parameters=None), dict(samples=None), dict(published=None), dict(validation=0.3), dict(executions=2),
        dict(score_epoch="last"), dict(refit="stop"), dict(refit_epochs=3), dict(objective="val_loss"),
        dict(learning_rate=Real(1e-4, 1e-2)), dict(augment=Augment(rotation=21)), dict(augment=None),
        dict(filters=(4, 16)), dict(hidden=(Int(8, 64),)), dict(epochs=11), dict(pool=Choice("max", None)),
    ):  # fmt: skip
        assert one.but(**changes).declaration() != one.declaration(), changes


def test_the_declaration_names_the_builder_by_its_place():
    assert study().declaration()["model"] == "kerashw.models.mlp"
