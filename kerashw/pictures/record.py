"""Record: what a run has left in its folder, read back for its figures without the search that made it."""

import json
import re
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

from kerashw.ensemble import networks_of
from kerashw.evaluation import predict, probabilities
from kerashw.formats import load_model
from kerashw.gradcheck import check_gradients, telling_item
from kerashw.leaderboard import searched_spaces
from kerashw.provenance import dataset_of
from kerashw.reuse import draw_weights, drawn_layers
from kerashw.run import Run, read_json
from kerashw.scores import pick_best
from kerashw.seeds import derive
from kerashw.selection import winner_of
from kerashw.splits import split
from kerashw.objectives import OBJECTIVES, objectives_of
from kerashw.training import Task

UNDRAWN = "begun otherwise"  # the event that tells which layers of the refit began with weights of the builder's
GRADIENT_ITEMS = 200  # among them one is looked for whose gradient is not 0


@dataclass(frozen=True, eq=False)
class Record:
    """A run after its refit: its folder, its data, and what was asked, as study.json keeps it.

    All else is read from the folder when it is first asked for: models, histories, trials. So figures are drawn from
    it as well right after the refit as much later.
    """

    run: Run
    dataset: object
    declaration: dict
    seed: int

    @classmethod
    def read(cls, run, dataset=None):
        """The Record of a run's folder; without a data set the run's own is loaded again."""
        study = run.study()
        return cls(run, dataset or dataset_of(run), study["declaration"], study["seed"])

    @property
    def objectives(self):
        """What the search went by: one metric, or several objectives, the first leading."""
        return objectives_of(self.declaration, Task.of(self.dataset).objective)

    @property
    def objective(self):
        """The metric that trainings went by."""
        return self.objectives[0]

    @property
    def direction(self):
        """Whether more of the objective is better ("max") or less ("min")."""
        return OBJECTIVES[self.objective]

    @property
    def searched(self):
        """{searched setting: how its values are spread: "linear", "log" or "category"}, in the study's order."""
        return {name: _spread(space) for name, space in searched_spaces(self.declaration).items()}

    @cached_property
    def splits(self):
        """The (train, validation) indices of every fold of the search, or the one pair that was held out."""
        return split(
            self.dataset.y_train, stratify=bool(self.dataset.classes), folds=self.declaration["folds"],
            validation=self.declaration["validation"], seed=derive(self.seed, "split"),
        )  # fmt: skip

    @cached_property
    def model(self):
        """The model after the refit."""
        return load_model(self.run)

    @cached_property
    def networks(self):
        """The networks whose answers the model gives the mean of; mostly itself alone."""
        return networks_of(self.model)

    @property
    def network(self):
        """What is looked into: the model, or the first network of an ensemble, whose history is kept."""
        return self.networks[0]

    @cached_property
    def untrained(self):
        """The network as the refit began: its weights depend on the seed and on names alone."""
        with self._store() as store:
            failed = [int(re.match(r"attempt (\d+)", text)[1]) for text in store.events("refit")]
        return draw_weights(networks_of(load_model(self.run))[0], derive(self.seed, "refit", 1 + max(failed, default=-1)))

    @cached_property
    def drawn(self):
        """The layers of the untrained network that are as the refit began; how the others did is not kept."""
        with self._store() as store:
            others = {name for text in store.events(UNDRAWN) for name in json.loads(text)}
        return drawn_layers(self.untrained) - others

    @cached_property
    def outputs(self):
        """What the model answers to the test items: logits or values."""
        return predict(self.model, self.dataset.x_test)

    @cached_property
    def chances(self):
        """The probability of each class for each test item."""
        return probabilities(self.outputs.astype("float64"))

    @cached_property
    def history(self):
        """The metrics of the refit, epoch by epoch; None where one was not finite."""
        return self.run.history()

    @property
    def refit_epoch(self):
        """The epoch of the refit whose weights the model has."""
        if self.declaration["refit"] == "stop" and self.declaration["score_epoch"] == "best":
            return int(pick_best(self.history, self.objective))
        return int(self.history["epoch"][-1])

    @cached_property
    def trials(self):
        """The trials that have ended, as `kerashw.store` has them."""
        with self._store() as store:
            return [trial for trial in store.trials() if trial.status != "running"]

    @cached_property
    def winner(self):
        """The trial that was trained anew."""
        return winner_of(self.trials, self.objectives, self.declaration.get("winner"))

    @cached_property
    def winner_history(self):
        """{metric: one list per fold and execution of the winner, over its epochs}, and "epoch" with their numbers."""
        with self._store() as store:
            all_runs = [store.history(self.winner.number, done.fold, done.execution) for done in self.winner.executions]
        names = [name for name in all_runs[0] if name != "epoch" and all(name in one for one in all_runs)]
        longest = max((one["epoch"] for one in all_runs), key=len)
        return {"epoch": longest, **{name: [one[name] for one in all_runs] for name in names}}

    @property
    def winner_curves(self):
        """Of points, the curve of each of the winner's folds and executions; None where they are not kept."""
        if not self.run.curves_file.exists():
            return None
        kept = read_json(self.run.curves_file)
        return kept["curves"] if kept["trial"] == self.winner.number else None

    @cached_property
    def gradients(self):
        """The GradientCheck of the first training item whose gradient is not 0, and the index of that item."""
        x, y = self.dataset.x_train[:GRADIENT_ITEMS], self.dataset.y_train[:GRADIENT_ITEMS]
        item = telling_item(self.network, x, y)
        return check_gradients(self.network, x[item : item + 1], y[item : item + 1]), item

    @property
    def excerpt(self):
        """What has to stand below a figure of a network, where the model has several, or None."""
        return f"The first of the {len(self.networks)} networks of the model." if len(self.networks) > 1 else None

    @property
    def warning(self):
        """What has to stand below every figure, or None."""
        if not self.dataset.stand_in:
            return None
        return f"STAND-IN DATA, {self.dataset.source.removeprefix('stand-in: ')}: says nothing about the real data."

    def _store(self):
        return closing(self.run.store())


def _spread(space):
    ((kind, values),) = space.items()
    return "category" if kind == "choice" else "log" if values["log"] else "linear"
