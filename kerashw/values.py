"""What a person types after an option, as values: literals, Choice/Real/Int/Augment, durations, objectives, addresses."""

import ast
import math
import re

from kerashw.augment import Augment
from kerashw.errors import UsageError
from kerashw.objectives import WINNERS
from kerashw.space import Choice, Int, Real

CALLABLE = {"Choice": Choice, "Real": Real, "Int": Int, "Augment": Augment}
UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def parse_setting(text):
    """(key, value) of KEY=VALUE; a value that is no Python literal is text.

    >>> parse_setting("hidden=(64, 32)"), parse_setting("optimizer=adam")
    (('hidden', (64, 32)), ('optimizer', 'adam'))
    >>> parse_setting("learning_rate=Real(1e-4, 1e-2, log=True)")[1]
    Real(low=0.0001, high=0.01, log=True, step=None)
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip().isidentifier() or not value.strip():
        raise UsageError(f"{text!r}: expected KEY=VALUE, such as --set learning_rate=0.01.")
    return key.strip(), parse_value(value.strip())


def parse_value(text):
    """A number, tuple, True, None, Choice(...), Real(...), Int(...) or Augment(...); anything else stays text."""
    try:
        return _evaluate(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):  # what ast gives on odd text
        if re.match(rf"({'|'.join(CALLABLE)})\s*\(", text):
            raise UsageError(f"{text!r} cannot be read; write it as in a study, with plain values.") from None
        return text


def _evaluate(node):
    """Literals and calls of the few declarations; nothing else is ever run."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLABLE:
        arguments = [_evaluate(argument) for argument in node.args]
        keywords = {keyword.arg: _evaluate(keyword.value) for keyword in node.keywords}
        try:
            return CALLABLE[node.func.id](*arguments, **keywords)
        except TypeError as error:
            raise UsageError(f"{ast.unparse(node)}: {error}.") from None
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(_evaluate(part) for part in node.elts)
    return ast.literal_eval(node)


def parse_duration(text):
    """Seconds from 90, 90s, 10m, 1.5h or 1d.

    >>> parse_duration("10m")
    600.0
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text)
    if not match or match[2] not in UNITS or not 0 < float(match[1]) * UNITS[match[2]] < math.inf:
        raise UsageError(f"{text!r} is no length of time; write 90s, 10m, 1.5h or 1d.")
    return float(match[1]) * UNITS[match[2]]


def parse_objectives(text):
    """The names of one or more objectives.

    >>> parse_objectives("val_accuracy, parameters")
    ('val_accuracy', 'parameters')
    """
    return tuple(name.strip() for name in text.split(","))


def parse_winner(text):
    """Which trial of a front wins: "knee", "best", or the number of one.

    >>> parse_winner("knee"), parse_winner("7")
    ('knee', 7)
    """
    if text in WINNERS:
        return text
    if not re.fullmatch("[0-9]{1,9}", text):
        raise UsageError(f"{text!r} is no winner; write knee, best, or the number of a trial.")
    return int(text)


def parse_amount(text):
    """How much of a machine's CPUs or GPUs: a number above 0, of at most four decimals, as Ray counts them.

    >>> parse_amount("4"), parse_amount("0.25")
    (4.0, 0.25)
    """
    if not re.fullmatch(r"\s*\d{1,6}(\.\d{1,4})?\s*", text) or not float(text):
        raise UsageError(f"{text!r} is no amount; write a number above 0 such as 2 or 0.5, with four decimals at most.")
    return float(text)


def parse_address(text):
    """Where a Ray cluster is: local, auto, host:port or ray://host:port.

    >>> parse_address("10.0.0.7:6379")
    '10.0.0.7:6379'
    """
    if text not in ("local", "auto") and not re.fullmatch(r"(ray://)?[^\s/]+:\d{1,5}", text):
        raise UsageError(f"{text!r} is no address of Ray; write local, auto, host:port or ray://host:port.")
    return text
