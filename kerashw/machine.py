"""What of this machine a process may use, and what the machine is good at."""

import os
import re
from pathlib import Path

LARGEST_COUNT = 2**31 - 1  # of items, epochs and all else that TensorFlow counts
PROCESSOR = Path("/proc/cpuinfo")


def processors():
    """How many processors this process may use.

    >>> processors() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_bfloat16():
    """Whether the processors have instructions for bfloat16 numbers; None where they do not tell.

    >>> has_bfloat16() in (True, False, None)
    True
    """
    try:
        told = PROCESSOR.read_text()
    except OSError:
        return None
    flags = re.search(r"^(flags|Features)\s*:(.*)", told, re.MULTILINE)
    return flags and not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags[2].split())
