"""Who trains: this process alone, or workers beside it."""

import contextlib
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Crew:
    """How many trials are trained at a time.

    >>> Crew().is_one, Crew(workers=2).is_one
    (True, False)
    """

    workers: int = 1

    @property
    def is_one(self):
        """Whether this process trains by itself."""
        return self.workers == 1

    def hired(self, common, folder):
        """A context with the workers, who know what is common to all jobs and leave nothing in the folder."""
        from kerashw.workers import Workers

        return Workers(self.workers, common, folder / f".common.{os.getpid()}")
