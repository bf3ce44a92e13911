"""What trials leave behind: models are circles of references, which pile up where nobody looks for them."""

import gc
import time

SHARE = 0.05  # of the time may go into looking; it takes longer the more trials there have been

_last = {"ended": 0.0, "seconds": 0.0}


def collect_when_due():
    """Nothing is left of the models of earlier trials, where the last look at them is long enough ago."""
    began = time.monotonic()
    if began - _last["ended"] < _last["seconds"] / SHARE:
        return
    gc.collect()
    _last["ended"] = time.monotonic()
    _last["seconds"] = _last["ended"] - began
