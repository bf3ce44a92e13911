"""Who trains: this process alone, workers beside it, or the nodes of a Ray cluster."""

import os
from dataclasses import dataclass

from kerashw.errors import UsageError
from kerashw.job import work


@dataclass(frozen=True)
class Crew:
    """How many trials are trained at a time, at most, and where; with Ray, what each takes of a node.

    >>> Crew().is_one, Crew(workers=2).is_one, Crew(ray="local").is_one
    (True, False, False)
    """

    workers: int | None = None  # one, or with Ray as many as there is room for
    ray: str | None = None  # local, auto, or the address of a cluster
    cpus_per_trial: float | None = None
    gpus_per_trial: float | None = None
    is_verbose: bool = False  # whether Ray may say something

    def __post_init__(self):
        if self.ray is not None:
            from kerashw.cluster import check_installed

            check_installed()
            if (self.gpus_per_trial or 0) > 1 and self.gpus_per_trial % 1:
                raise UsageError(f"--gpus-per-trial {self.gpus_per_trial:g}: Ray parts one GPU, or gives whole ones.")
        elif self.cpus_per_trial is not None or self.gpus_per_trial is not None:
            raise UsageError("--cpus-per-trial and --gpus-per-trial say what trials take of a Ray cluster: add --ray.")

    @property
    def is_one(self):
        """Whether this process trains by itself."""
        return self.ray is None and self.workers in (None, 1)

    def hired(self, common, folder, do=work, bundled=False):
        """A context with the workers, who know what is common to all jobs, `do` them and leave nothing in the folder;
        `bundled` short ones may go to a node at once.
        """
        if self.ray is not None:
            from kerashw.cluster import Cluster

            cpus = 1 if self.cpus_per_trial is None else self.cpus_per_trial
            return Cluster(self.ray, common, most=self.workers, cpus=cpus, gpus=self.gpus_per_trial or 0,
                           bundled=bundled, is_verbose=self.is_verbose, do=do)  # fmt: skip
        from kerashw.workers import Workers

        return Workers(self.workers or 1, common, folder / f".common.{os.getpid()}", do)
