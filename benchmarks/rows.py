"""Row: one measured line, with what a peer needs for the same and what was aimed at."""

import importlib.util
from dataclasses import asdict, dataclass

INSTALL = "python -m pip install -r benchmarks/requirements.txt"
SIGNS = {">=": lambda value, limit: value >= limit, "<=": lambda value, limit: value <= limit}


@dataclass(frozen=True)
class Target:
    """What a row should reach: its `ratio`, our own number `ours`, or the probability `p`, at least or at most."""

    of: str
    sign: str
    value: float

    def __str__(self):
        unit = " x" if self.of == "ratio" else ""
        return f"{'p ' if self.of == 'p' else ''}{self.sign} {self.value:g}{unit}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table. `p` is the probability of ours looking so bad by chance, where seeds are compared.

    >>> row = Row(what="a search", ours=2.0, peer=300.0, peer_name="fit", target=Target("ratio", ">=", 100))
    >>> row.ratio, row.met
    (150.0, True)
    """

    what: str
    ours: float | None = None
    unit: str = "s"
    peer: float | None = None
    peer_name: str = ""
    more_is_better: bool = False
    has_ratio: bool = True  # scores may be negative or near 0, where a ratio says nothing
    p: float | None = None
    target: Target | None = None
    note: str = ""
    failed: str = ""
    benchmark: str = ""

    @property
    def ratio(self):
        """How many times better ours is than the peer's; None where there is nothing to divide."""
        above, below = (self.ours, self.peer) if self.more_is_better else (self.peer, self.ours)
        return above / below if self.has_ratio and above is not None and below else None

    @property
    def met(self):
        """Whether the target was met; None where there is none, or nothing to judge it by."""
        value = getattr(self, self.target.of) if self.target else None
        return None if value is None else SIGNS[self.target.sign](value, self.target.value)

    def plain(self):
        """The row as JSON-ready data."""
        return {**asdict(self), "target": str(self.target) if self.target else None, "ratio": self.ratio,
                "met": self.met}  # fmt: skip


def is_installed(package):
    """Whether a peer can be imported."""
    return importlib.util.find_spec(package) is not None


def with_peer(package, what, measure):
    """The row that `measure` gives, or one that says how to install the peer it needs.

    >>> with_peer("no_such_peer", "a search", lambda: None).note
    'no_such_peer is not installed: python -m pip install -r benchmarks/requirements.txt'
    """
    if is_installed(package):
        return measure()
    return Row(what=what, peer_name=package, note=f"{package} is not installed: {INSTALL}")
