"""Asked: what the command line wants of every benchmark."""

from dataclasses import dataclass

SIZES = ("smoke", "quick", "full")


@dataclass(frozen=True)
class Asked:
    """How much to measure, and the folder of real data if there is one.

    >>> Asked("quick").of(smoke=2, quick=100, full=400)
    100
    """

    size: str = "quick"
    data_dir: str | None = None

    def of(self, *, smoke, quick, full):
        """The value for this size. The numbers of a smoke run mean nothing; it shows that all runs to its end."""
        return dict(smoke=smoke, quick=quick, full=full)[self.size]
