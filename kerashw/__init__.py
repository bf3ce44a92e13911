"""Tune and explain small and medium Keras models.

    >>> import kerashw
    >>> kerashw.load_run.__module__         # nothing heavy is imported before it is asked for
    'kerashw.results'
"""

import importlib

__all__ = ["load_run"]


def __getattr__(name):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("kerashw.results"), name)


def __dir__():
    return [*globals(), *__all__]
