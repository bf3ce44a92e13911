"""What stays the same over a search, and what follows from it."""

import functools
from dataclasses import dataclass

from kerashw.crew import Crew
from kerashw.job import Common
from kerashw.population import suits
from kerashw.space import Hyperband
from kerashw.study import Study
from kerashw.training import Task
from tuning.hypermodel import StudyHyperModel


@dataclass(frozen=True)
class Setup:
    """What stays the same over a search: the study, its task and folds, the seed, and who is told of progress."""

    study: Study
    task: Task
    splits: list  # (train, validation) index pairs, one for each fold
    seed: int
    run: object
    progress: object
    crew: Crew = Crew()

    @property
    def objectives(self):
        """What the search goes by: one metric, or several objectives, the first leading."""
        return self.study.objectives or (self.study.objective or self.task.objective,)

    @property
    def objective(self):
        """The metric that trainings go by."""
        return self.objectives[0]

    @property
    def hypermodel(self):
        """The study as KerasTuner sees it."""
        return StudyHyperModel(self.study, self.task)

    @property
    def common(self):
        """What all trainings of the search have in common."""
        study = self.study
        return Common(study.model, self.task, self.splits, self.objective, study.score_epoch, study.parameters,
                      keep_last=isinstance(study.search, Hyperband),
                      wants_latency="latency" in self.objectives)  # fmt: skip

    def settings_of(self, proposed):
        """All settings as constants, from the values an oracle proposed."""
        return self.hypermodel.settings(self._with_values(proposed))

    def searched_of(self, proposed):
        """The searched settings among them."""
        return self.hypermodel.searched(self._with_values(proposed))

    def model_of(self, settings):
        """The uncompiled model that the settings describe."""
        return self.hypermodel.uncompiled(settings)

    def trains_together(self, model):
        """Whether trainings of that model share one loop: the study's word, or where model and data are small.

        As the loop computes in float32, a study with some trainings in bfloat16 has none in it.
        """
        if self.study.is_mixed:
            return False
        if self.study.together is not None:
            return self.study.together
        return suits(model, len(self.task.x))

    @property
    def places(self):
        """(fold, execution) of every training of a trial."""
        return [(fold, number) for fold in range(len(self.splits)) for number in range(self.study.executions)]

    @functools.cached_property
    def _space(self):
        return self.hypermodel.space()

    def _with_values(self, proposed):
        self._space.values = dict(proposed)  # to declare a space anew costs more than to fill it
        return self._space
