"""What a person types after --set and --time-budget: read as values, never run."""

import math

import pytest

from kerashw.augment import Augment
from kerashw.errors import UsageError
from kerashw.space import Choice, Int, Real
from kerashw.values import parse_duration, parse_setting, parse_value

VALUES = {
    "3": 3,
    "-3": -3,
    "1e-4": 1e-4,
    "0": 0,
    "True": True,
    "None": None,
    "adam": "adam",
    "'adam'": "adam",
    "glorot uniform": "glorot uniform",
    "(64, 32)": (64, 32),
    "64, 32": (64, 32),
    "[64, 32]": (64, 32),
    "(64,)": (64,),
    "()": (),
    "('max', None)": ("max", None),
    "{'class_name': 'Zeros', 'config': {}}": {"class_name": "Zeros", "config": {}},
    "Choice('adam', 'sgd')": Choice("adam", "sgd"),
    "Choice((64,), [128, 64])": Choice((64,), (128, 64)),
    "Real(1e-4, 1e-2, log=True)": Real(1e-4, 1e-2, log=True),
    "Real(-1, 1)": Real(-1, 1),
    "Int(4, 400)": Int(4, 400),
    "(Choice(64, 128), 64)": (Choice(64, 128), 64),
    "[Int(8, 16), 4]": (Int(8, 16), 4),
    "Augment(rotation=20, horizontal_flip=True)": Augment(rotation=20, horizontal_flip=True),
    "max": "max",
    "5 6": "5 6",
}


@pytest.mark.parametrize("text", VALUES)
def test_a_value_is_read_as_a_study_would_write_it(text):
    value = parse_value(text)
    assert value == VALUES[text] and type(value) is type(VALUES[text])


HARMFUL = (
    "__import__('os').mkdir('{place}')",
    "(1, __import__('os').mkdir('{place}'))",
    "Choice(1, __import__('os').mkdir('{place}'))",
    "Real(low=__import__('os').mkdir('{place}'), high=1)",
    "Choice(*__import__('os').mkdir('{place}'))",
    "Choice(1, **__import__('os').mkdir('{place}'))",
    "Choice((lambda: __import__('os').mkdir('{place}'))(), 2)",
    "[__import__('os').mkdir('{place}') for _ in (1,)]",
    "Choice.__init__.__globals__['math'].__loader__",
    "Augment(rotation=exec('import os; os.mkdir(\"{place}\")'))",
    "f'{{__import__(\"os\").mkdir(\"{place}\")}}'",
    "open('{place}', 'w')",
    "{{1: __import__('os').mkdir('{place}')}}",
)


@pytest.mark.parametrize("text", HARMFUL)
def test_a_value_is_never_run_as_code(text, tmp_path):
    text = text.format(place=tmp_path / "harm")
    try:
        assert parse_value(text) == text
    except UsageError as error:
        assert "\n" not in str(error)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["(" * 5000, "-" * 100_000 + "1", "9" * 5000, "[" * 300 + "]" * 300, "{[]: 1}", "\t'"])
def test_text_that_python_itself_chokes_on_stays_text_or_is_refused(text):
    try:
        parse_value(text)
    except UsageError as error:
        assert "\n" not in str(error)


WRONG = {
    "learning_rate": "expected KEY=VALUE",
    "": "expected KEY=VALUE",
    "=3": "expected KEY=VALUE",
    "learning_rate=": "expected KEY=VALUE",
    "learning_rate= ": "expected KEY=VALUE",
    "learning-rate=3": "expected KEY=VALUE",
    "1=2": "expected KEY=VALUE",
    "x=Real(1e-4, 1e-2": "cannot be read",
    "x=Real(a, b)": "cannot be read",
    "x=Real()": "missing",
    "x=Real(0, 1, size=3)": "size",
    "x=Real(1, 0)": "low must lie below high",
    "x=Choice(1)": "at least two values",
    "x=Int(1, 2.5)": "whole number",
    "x=Augment(rotaton=3)": "no knob 'rotaton'",
    "x=Augment(rotation=400)": "rotation must be from 0 to 180",
    "x=Augment(20)": "Augment",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_setting_that_cannot_be_read_is_refused_with_the_reason(text):
    with pytest.raises(UsageError) as error:
        parse_setting(text)
    assert WRONG[text] in str(error.value)
    assert "\n" not in str(error.value)


def test_spaces_around_key_and_value_and_a_second_equals_sign_do_no_harm():
    assert parse_setting(" momentum = 0.9 ") == ("momentum", 0.9)
    assert parse_setting("name=a=b") == ("name", "a=b")


@pytest.mark.parametrize(
    "text, seconds",
    [("90", 90), ("90s", 90), ("10m", 600), ("10min", 600), ("1.5h", 5400), ("1d", 86400), (" 2 h ", 7200)],
)
def test_a_length_of_time_is_read_with_its_unit(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "0.0h", "-5m", "m", "ten", "10x", "1e3", "nan", "inf", "10m30s", "9" * 400, "1:30", "5M"]
)
def test_what_is_no_length_of_time_is_refused_with_examples(text):
    with pytest.raises(UsageError, match="write 90s, 10m, 1.5h or 1d"):
        parse_duration(text)


def test_every_length_of_time_that_is_read_is_finite():
    assert math.isfinite(parse_duration("9" * 300 + "s"))
