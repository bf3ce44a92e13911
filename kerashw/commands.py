"""What every verb shares: a parser that errs in one line, values from the environment, exit codes."""

import argparse
import contextlib
import errno
import gc
import os
import sys

from kerashw import interrupts
from kerashw.errors import KerashwError, UsageError
from kerashw.machine import LARGEST_COUNT
from kerashw.silence import silent

VERBS = {
    "tune": "search, refit the winner, test it and export it",
    "evaluate": "metrics of a finished run on its test items or on other data",
    "predict": "labels and probabilities, or values, for files",
    "export": "the model of a finished run in another format, checked",
    "report": "report.html and the figures of finished runs again, without training",
    "compare": "a page with several finished runs beside each other",
    "studies": "what --task can name",
}


LONGEST_LINE = 2_000  # characters of a fault that is told


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, with exit code 2."""

    def __init__(self, verb, **kwargs):
        super().__init__(
            prog=f"python -m kerashw.{verb}", formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False, **kwargs,
        )  # fmt: skip

    def error(self, message):
        raise UsageError(f"{message}. See {self.prog} --help.")


def whole(least, most=LARGEST_COUNT):
    """An argument type: a whole number of at least `least` and at most `most`."""

    def convert(text):
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or number < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
        if number > most:
            raise argparse.ArgumentTypeError(f"expected a whole number of at most {most:,}, got {text!r}")
        return number

    return convert


def folder(text):
    """An argument type: a folder; no text, as an unset variable gives, would mean the one a person stands in."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"expected a folder, got {text!r}")
    return text


def checked(convert):
    """An argument type from a function that raises UsageError."""

    def wrapped(text):
        try:
            return convert(text)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None

    return wrapped


def from_environment(parser, argv=()):
    """The parser with KERASHW_* as defaults: KERASHW_DATA_DIR for --data-dir, KERASHW_SEED for --seed.

    What is typed, in `argv`, leaves no room for a default of what it excludes.
    """
    typed = {word.partition("=")[0] for word in argv}
    excluded = {action for group in parser._mutually_exclusive_groups
                for action in group._group_actions
                if any(not typed.isdisjoint(other.option_strings) for other in group._group_actions)}  # fmt: skip
    for action in parser._actions:
        if action in excluded:
            continue
        long = next((option for option in action.option_strings if option.startswith("--")), None)
        if long is None or long in ("--help", "--set", "--task"):
            continue
        variable = "KERASHW_" + long[2:].upper().replace("-", "_")
        text = os.environ.get(variable)
        if not text:
            continue
        if action.nargs == 0:
            if text not in ("0", "1"):
                raise UsageError(f"{variable} must be 0 or 1, got {text!r}.")
            action.default = text == "1"
            continue
        try:
            value = action.type(text) if action.type else text
        except (argparse.ArgumentTypeError, ValueError) as error:
            raise UsageError(f"{variable}: {error}.") from None
        if action.choices is not None and value not in action.choices:
            raise UsageError(f"{variable} must be one of {', '.join(action.choices)}, got {text!r}.")
        action.default = value
    return parser


def import_tensorflow(verbose=0):
    """TensorFlow, imported without its start-up lines."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if verbose else "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with contextlib.nullcontext() if verbose else silent():
        import tensorflow
    return tensorflow


def quiet_tensorflow(verbose=0):
    """TensorFlow, imported quietly, and deterministic: one seed gives one result."""
    tf = import_tensorflow(verbose)
    if not verbose:
        tf.get_logger().setLevel("ERROR")
    tf.config.experimental.enable_op_determinism()
    import keras  # noqa: F401  so that it is among what is frozen

    # A search collects garbage after every trial; without the libraries' own objects that takes 1 ms, not 200.
    gc.freeze()
    interrupts.check()  # a library that is being imported may have passed over it


def run(main, argv=None):
    """The exit code of a verb: its faults become one line on stderr."""
    argv = sys.argv[1:] if argv is None else argv
    with interrupts.listening():
        try:
            code = main(argv) or 0
            sys.stdout.flush()  # here, so that a reader that has gone is met below and not at exit
            return code
        except BrokenPipeError:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115  the reader has gone; nothing may be flushed to it at exit
            return 1
        except (Exception, KeyboardInterrupt) as error:
            code, line = _told(error, is_verbose=_is_verbose(argv))
        print(f"kerashw: {_shortened(line)}", file=sys.stderr)
        return code


def _is_verbose(argv):
    """Whether all of a fault is to be said: every verb has the variable, `tune` the option as well."""
    return "-v" in argv or "--verbose" in argv or os.environ.get("KERASHW_VERBOSE") == "1"


def _told(error, is_verbose):
    """(exit code, line) of what ended a verb; an unforeseen fault is raised again where all is to be said."""
    if interrupts.is_behind(error):
        return interrupts.exit_code(), "interrupted."
    if isinstance(error, KerashwError):
        return error.exit_code, str(error)
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        code = UsageError.exit_code if error.errno == errno.ENAMETOOLONG else 1  # only names that a person gives are
        return code, f"{name}{error.strerror or error}; mend it and repeat the command."
    if is_verbose:
        raise error
    first = next(iter(str(error).strip().splitlines()), "")
    return 1, f"{type(error).__name__}: {first} (an unforeseen fault; KERASHW_VERBOSE=1 shows where)"


def _shortened(line):
    """The line, which may repeat something long that was given; its end says how to mend it.

    >>> len(_shortened("word " * 1000)) <= LONGEST_LINE + 5
    True
    """
    line = " ".join(line.split())
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE // 2]} ... {line[-LONGEST_LINE // 2 :]}"
