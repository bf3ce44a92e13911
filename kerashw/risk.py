"""Which trials were being trained when a process died: one of them may have ended it."""

import contextlib
import json
from collections import Counter

ATTEMPTS = 2  # processes that may die of one trial before it is given up, of several before they are parted
TOGETHER = "together"  # the kind of event that names trials which are trained in one loop


@contextlib.contextmanager
def at_risk(store, numbers):
    """While it lasts a process that dies is one more death of these trials; one that does not is none.

    >>> from kerashw.store import Store
    >>> store = Store(":memory:")
    >>> for number in (0, 1):
    ...     store.begin_trial(number, {})
    >>> with at_risk(store, [0, 1]):
    ...     deaths(store, [0, 1])
    1
    >>> deaths(store, [0, 1])
    0
    """
    if len(numbers) == 1:
        store.add_attempts(numbers[0], 1)
        try:
            yield
        finally:
            store.add_attempts(numbers[0], -1)
        return
    place = store.add_event(TOGETHER, json.dumps(numbers))
    try:
        yield
    finally:
        store.forget_event(place)


def deaths(store, numbers):
    """How many processes died while just these, of the trials that have not ended, were being trained."""
    return toll(store)[numbers[0] if len(numbers) == 1 else frozenset(numbers)]


def toll(store):
    """{what was being trained: how many processes died of it}; a trial's number, or those of one loop that run yet."""
    running = {trial.number: trial.attempts or 0 for trial in store.trials() if trial.status == "running"}
    shared = [frozenset(running).intersection(json.loads(text)) for text in store.events(TOGETHER)]
    return Counter(running) + Counter(numbers for numbers in shared if numbers)
