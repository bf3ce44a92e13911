"""A run, read back in Python: its metrics, trials, model and figures, without the command line.

    run = kerashw.load_run("saved_models/mnist")
    run.metrics["test"]["accuracy"]
    run.labels(images)
"""

from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kerashw.errors import UsageError
from kerashw.leaderboard import leaderboard, searched_spaces, searched_values
from kerashw.objectives import objectives_of
from kerashw.run import Run
from kerashw.store import Store


def load_run(folder):
    """The Results in a run's folder, finished or not, or in that of a study with arms.

    >>> load_run("nowhere")
    Traceback (most recent call last):
    kerashw.errors.UsageError: nowhere: no such run folder; `python -m kerashw.tune --task NAME` makes one.
    """
    results = Results(Path(folder))
    return results if results.arms else Results(Run.begun(folder).folder)


@dataclass(frozen=True)
class Results:
    """What a run has left in its folder; each part is read when it is first asked for.

    While the run goes on there are its study and trials; metrics, history and model come at its end. The folder of a
    study with arms has `arms` and the figures that compare them, and no more.
    """

    folder: Path

    @property
    def run(self):
        """Where each file of the run lies."""
        return Run(self.folder)

    @cached_property
    def arms(self):
        """{name: Results} of the arms of a study; {} of a run without arms."""
        if self.run.exists:
            return {}
        below = [Results(file.parent) for file in sorted(self.folder.glob("*/study.json"))]
        return {results.folder.name: results for results in below if results.study["arm"]}

    @cached_property
    def study(self):
        """What was asked, of which data, on which machine, as study.json has it."""
        return Run.begun(self.folder).study()

    @cached_property
    def metrics(self):
        """What came of it: settings, validation, test, counts of trials, as metrics.json has it."""
        return Run.finished(self.folder).metrics()

    @property
    def classes(self):
        """The names of the classes, in the order of the columns of `predict`; () of a regression."""
        return tuple(self.study["data"]["classes"])

    @property
    def trials(self):
        """The trials that have ended: a pandas DataFrame, or a list of dicts where pandas is not installed.

        The columns are those of trials.csv. It is asked for anew each time, as a search may be going on.
        """
        if not Run.begun(self.folder).store_file.exists():  # the run has just begun
            stored = []
        else:
            with closing(Store(self.run.store_file, "ro")) as store:
                stored = store.trials()
        declaration = self.study["declaration"]
        spaces = searched_spaces(declaration)
        header, rows = leaderboard(
            stored, lambda trial: searched_values(spaces, trial.proposed), settings=spaces, objectives=self.objectives,
            folds=declaration["folds"] or 1, executions=declaration["executions"],
        )  # fmt: skip
        try:
            import pandas
        except ModuleNotFoundError:
            return [dict(zip(header, row)) for row in rows]
        return pandas.DataFrame(rows, columns=header)

    @property
    def objectives(self):
        """What the search goes by: one metric, or several objectives, the first leading."""
        return objectives_of(self.study["declaration"], "val_accuracy" if self.classes else "val_mse")

    @property
    def objective(self):
        """The metric that trainings go by."""
        return self.objectives[0]

    @cached_property
    def history(self):
        """The metrics of the final training, epoch by epoch: {"epoch": [1.0, 2.0, ...], "loss": [...], ...}."""
        return Run.finished(self.folder).history()

    @cached_property
    def model(self):
        """The best model, trained anew: a Keras model that gives logits or values."""
        from kerashw.commands import import_tensorflow

        run = Run.finished(self.folder)
        import_tensorflow()  # what it would say of itself is not what was asked for
        from kerashw.formats import load_model

        return load_model(run)

    @cached_property
    def record(self):
        """The run together with its data, loaded again, as figures are drawn from it: a `kerashw.pictures.Record`."""
        from kerashw.pictures import Record

        return Record.read(Run.finished(self.folder))

    @property
    def figures(self):
        """{name: path of the PNG} of the figures that were drawn, in alphabetical order."""
        return {path.stem: path for path in sorted(self.run.figures.glob("*.png"))}

    def figure(self, name):
        """One of the figures as a matplotlib Figure, drawn again from its numbers."""
        from kerashw.drawing import redraw

        if name not in self.figures:
            there = ", ".join(self.figures) or "none, as with --no-figures"
            raise UsageError(f"{self.folder}: has no figure {name!r}; there are: {there}.")
        return redraw(self.figures[name].with_suffix(".json"))

    def predict(self, x):
        """The probability of each of `classes` for each item, (n, classes), or y, (n, outputs).

        `x` is one item or an array of them: images as pixels from 0 to 255, or rows of numbers.
        """
        import numpy as np

        from kerashw.evaluation import predict, probabilities
        from kerashw.items import as_items

        outputs = predict(self.model, as_items(np.asarray(x), tuple(self.model.input_shape[1:])))
        return probabilities(outputs.astype("float64")) if self.classes else outputs

    def labels(self, x):
        """The name of the most probable class of each item."""
        if not self.classes:
            raise UsageError(f"{self.folder}: is a regression, which has no labels; use predict.")
        return [self.classes[place] for place in self.predict(x).argmax(axis=1)]
