"""Kept: what a finished run has left in its folder, as pages need it; neither the data nor any training is needed."""

import csv
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

from kerashw.ensemble import networks_of
from kerashw.formats import load_model
from kerashw.leaderboard import searched_spaces, searched_values
from kerashw.run import Run


@dataclass(frozen=True, eq=False)
class Kept:
    """The records of a run: `trials` as trials.csv has them, {column: text} each; `events` by kind.

    `turns` are those of `kerashw.store`, where several trials were in flight at a time.
    """

    run: Run
    study: dict
    metrics: dict
    trials: list
    events: dict
    turns: list

    @classmethod
    def read(cls, run):
        """The records of a finished run."""
        with open(run.trials_file, newline="", encoding="utf-8") as file:
            trials = list(csv.DictReader(file))
        with closing(run.store()) as store:
            events = {kind: store.events(kind) for kind in ("refit", "figure")}
            turns = store.turns()
        return cls(run, run.study(), run.metrics(), trials, events, turns)

    @property
    def title(self):
        """The run's name: its folder's, that of an arm with the folder above."""
        folder = self.run.folder.resolve()
        return f"{folder.parent.name}/{folder.name}" if self.study["arm"] else folder.name

    @property
    def warning(self):
        """What has to stand before everything where no real data were used, else None."""
        if not self.metrics["stand_in"]:
            return None
        return f"STAND-IN DATA: measured on {self.metrics['data']}. No number here says anything about the real data."

    @cached_property
    def spaces(self):
        """{searched setting: its space}, plain as in study.json."""
        return searched_spaces(self.study["declaration"])

    @cached_property
    def ended(self):
        """The trials that have a score, as `kerashw.store` has them."""
        with closing(self.run.store()) as store:
            return [trial for trial in store.trials() if trial.status in ("completed", "pruned")]

    @cached_property
    def scored(self):
        """{number of such a trial: (its searched settings, its score)}."""
        return {trial.number: (searched_values(self.spaces, trial.proposed), trial.score) for trial in self.ended}

    @cached_property
    def model(self):
        """The model after the refit."""
        return load_model(self.run)

    @property
    def networks(self):
        """The networks of an ensemble; of any other model itself alone."""
        return networks_of(self.model)
