"""Every setting has a rule, every rule is stated when it is broken, and every keyword of a builder has one."""

import math

import pytest

from kerashw.augment import Augment
from kerashw.errors import UsageError
from kerashw.models import cnn, linear, mlp
from kerashw.settings import OPTIMIZERS, RULES, TRAINING, builder_keywords, check_setting

NUMBER = ("0.1", None, True, math.nan, math.inf, -math.inf, 10**400, (0.1,), 1j)
WHOLE = (0, -1, 2.0, "3", True, None)
RATE = (1, 1.0, -0.1, "half", (0.1, 1.5), (), math.nan)

# name: (values that obey its rule, values that break it)
TABLE = {
    "optimizer": (OPTIMIZERS, ("Adam", "lion", None, 1, True)),
    "learning_rate": ((1e-9, 1, 0.1), (0, -0.1, *NUMBER)),
    "momentum": ((0, 0.0, 0.99), (1, -0.1, *NUMBER)),
    "weight_decay": ((0, 0.1, 3), (-1e-9, *NUMBER)),
    "schedule": (("constant", "cosine"), ("linear", None, 0)),
    "batch_size": ((1, 4096), WHOLE),
    "epochs": ((1, 500), WHOLE),
    "patience": ((None, 1, 400), (0, -1, 1.5, "none", True)),
    "dtype_policy": ((None, "float32", "mixed_bfloat16"), ("bfloat16", "mixed_float16", True, 32)),
    "hidden": (((128, 64), (1,), ()), (128, [128], (0,), (1.5,), ("64",), None)),
    "filters": (((10, 20), (1,)), (10, [10], (0,), (-1,), None)),
    "kernel_size": ((5, (5, 4, 3)), (0, 2.5, (3, 0), (), "5", None)),
    "pool": (("max", "average", None, ("max", None)), ("mean", ("max", "mean"), (), True, 0, ["max"])),
    "pool_size": ((2, 3), (1, 0, 2.0, None, True)),
    "padding": (("valid", "same"), ("full", None, 0)),
    "activation": (("relu", ("tanh", "softplus")), (None, 1, ("relu", None), ())),
    "dropout": ((0, 0.5, (0.1, 0)), RATE),
    "conv_dropout": ((0, 0.5, (0, 0, 0.25)), RATE),
    "spatial_dropout": ((0, 0.5, (0, 0.5)), RATE),
    "l2": ((0, 1e-5), (-1e-5, *NUMBER)),
    "batch_normalization": ((True, False), (1, 0, None, "yes")),
    "normalize": ((True, False), (1, 0, None, "yes")),
    "kernel_initializer": (
        ("glorot_uniform", dict(class_name="RandomNormal", config=dict(stddev=1.0))),
        (None, 1, dict(class_name="Zeros"), dict(class_name="Zeros", config=dict(mean=math.nan))),
    ),
    "degree": ((1, 5), WHOLE),
    "scale": ((1.0, 5, 0.1), (0, -1, *NUMBER)),
    "augment": ((None, Augment(rotation=20)), (20, dict(rotation=20), "rotation=20", True)),
}


def test_the_table_covers_every_rule_every_training_setting_and_every_keyword_of_the_builders():
    keywords = {name for builder in (linear, mlp, cnn) for name in builder_keywords(builder)}
    assert set(TABLE) == set(RULES) == {*TRAINING, *keywords}


@pytest.mark.parametrize("name", TABLE)
def test_a_setting_takes_what_its_rule_allows_and_refuses_the_rest_by_name(name):
    right, wrong = TABLE[name]
    for value in right:
        check_setting(name, value)
    for value in wrong:
        with pytest.raises(UsageError) as error:
            check_setting(name, value)
        assert str(error.value).startswith(f"{name} must be ")
        assert str(error.value).endswith(f", got {value!r}.")


@pytest.mark.parametrize("name", TRAINING)
def test_the_defaults_of_training_obey_their_own_rules(name):
    check_setting(name, TRAINING[name])


@pytest.mark.parametrize("value", [3, 0.5, "wide", None, True, (1, "a", None), dict(depth=2), max, int])
def test_a_keyword_of_ones_own_builder_takes_any_plain_value(value):
    check_setting("my_keyword", value)


@pytest.mark.parametrize("value", [math.nan, math.inf, b"3", {1, 2}, 3j, ..., object(), (1, math.nan), {1: 2}])
def test_a_keyword_of_ones_own_builder_takes_nothing_that_study_json_could_not_hold(value):
    with pytest.raises(UsageError, match="my_keyword must be a finite number, text, "):
        check_setting("my_keyword", value)


def test_what_the_data_decide_is_no_keyword_of_a_study():
    for builder in (linear, mlp, cnn):
        assert not {"input_shape", "outputs"} & set(builder_keywords(builder))


def test_a_builder_of_ones_own_may_be_written_without_the_star():
    def mine(input_shape, outputs, depth=2, *, width=3, **rest):
        pass

    assert builder_keywords(mine) == ("depth", "width")
