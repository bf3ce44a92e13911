"""One seed for everything: each use of chance gets its own number from the run's seed and its own name."""

import hashlib


def derive(seed, *names):
    """A number below 2**31 that depends on the seed and the names alone, the same on every machine.

    >>> derive(0, "trial", 3) == derive(0, "trial", 3) != derive(1, "trial", 3)
    True
    """
    digest = hashlib.sha256("/".join(map(str, (seed, *names))).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
