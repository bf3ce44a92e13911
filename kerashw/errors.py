"""The faults a person can mend; the command line prints each as one line and exits with its code."""

import difflib


class KerashwError(Exception):
    """What went wrong, what was expected and how to mend it, in one sentence or two."""

    exit_code = 1


class WorkError(KerashwError):
    """Something failed while working: a disk, a model, a download."""


class Damaged(WorkError):
    """A file of a run does not hold what was written to it."""


class UsageError(KerashwError):
    """What was asked for cannot be done as asked: a name, a value, a file, a folder."""

    exit_code = 2


class NoTrialSucceeded(KerashwError):
    """Every trial tried so far has failed, so there is nothing to refit."""

    exit_code = 3


def closest(name, names):
    """The end of a fault's sentence: the name that was meant, or nothing where none is near.

    >>> closest("minst", ["mnist", "fashion"])
    " Did you mean 'mnist'?"
    """
    near = difflib.get_close_matches(str(name), list(names), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
