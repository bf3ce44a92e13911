"""Groups of small models spread over workers, where a measured first chunk shows that they train them faster."""

import contextlib
import time
from dataclasses import dataclass, replace

from kerashw.group import Group
from kerashw.job import Failure
from kerashw.machine import processors
from kerashw.population import models_of
from kerashw.training import Trained

AGAIN = 2  # times that a group is trained again whose worker died; after that its members are tried one by one
WORTH = 20.0  # seconds of work left from which workers are tried; they take about ten to get ready


@dataclass(frozen=True)
class GroupJob:
    """A group as it is handed to a worker: its members, the loop it needs, and what to keep of it."""

    members: list
    shape: dict
    seconds: float
    keep_models: bool
    keep_last: bool


def train_group(common, job):
    """What a worker does with a GroupJob: the results of its members, or the Failure of all."""
    began = time.monotonic()
    try:
        models = models_of(common.builder, job.members, common.task)
        group = Group(range(len(job.members)), job.members, models, common.task, **job.shape)
        return group.train(group.first_state(), began + job.seconds, job.keep_models, job.keep_last, _ignore, share=1)
    except Exception as error:  # whatever a builder, Keras or TensorFlow raises
        return Failure.of(error)


class Spread:
    """Who trains the next group: this process, until each of its threads has done one and much is left; then the workers
    that `hire` gives, one group each; and from then on whoever takes less time for an epoch of a member.

    Use it as a context around a whole search: at its end the workers are let go.
    """

    def __init__(self, hire, say=print):
        self._hire, self._say = hire, say
        self._open, self._workers = contextlib.ExitStack(), None
        self._here, self._there = [], []  # (seconds, epochs of members) of the groups that ended
        self._inside, self._away, self._sent = 0, {}, 0  # groups at threads; {name: (group, deaths)} at workers
        self._threads, self._left, self._is_small, self._goes_away = None, 0, True, False
        self.pays = None  # nobody knows yet

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._let_go()

    def over(self, threads, groups):
        """The same, for so many groups that these threads would train otherwise."""
        self._threads, self._left, self._is_small = threads, groups, groups <= processors()
        return self

    def free(self):
        """How many groups it takes now. Neither side begins while the other is at one: they may share processors."""
        if self.pays is False and not self._away:
            self._let_go()
        if self._workers is None and self._is_worth_a_try():
            self._workers = self._open.enter_context(self._hire())
        self._goes_away = self._workers is not None and self.pays is not False and not self._is_small
        if self._goes_away:
            return 0 if self._inside else self._workers.free()
        return 0 if self._away else self._threads.free()

    def submit(self, group):
        """The group is trained next; `next` tells of it."""
        self._left -= 1
        if self._goes_away:
            self._sent += 1
            self._send(self._sent, group, deaths=0)
        else:
            self._inside += 1
            self._threads.submit(group)

    def next(self):
        """(group, its results) of one that has ended; the exception or Failure of one that failed."""
        if self._inside:
            group, results = self._threads.next()
            self._inside -= 1
            self._here += _taken(results)
            return group, results
        name, results = self._heard()
        group, deaths = self._away.pop(name)
        if results is None and deaths == AGAIN:
            return group, Failure("killed", f"ended the worker that trained it {deaths + 1} times")
        if results is None:
            self._send(name, group, deaths + 1)
            return self.next()
        if not isinstance(results, Failure):
            room = len(self._away) + self._workers.free()  # so many at a time: the seconds of each count for so much less
            results = [replace(one, seconds=one.seconds / room) if isinstance(one, Trained) else one for one in results]
            self._there += (taken := _taken(results))
            self._threads.told(sum(epochs for _, epochs in taken))
            self._decide(room)
        return group, results

    def close(self):
        """Nothing is being trained any more; workers that are at nothing stay."""
        self._threads.close()
        self._inside = 0
        if self._away:
            self._let_go()

    def _send(self, name, group, deaths):
        how = self._threads.how
        self._away[name] = group, deaths
        seconds = how.deadline - time.monotonic()
        self._workers.submit(name, GroupJob(group.members, group.shape, seconds, how.keep_models, how.keep_last))

    def _heard(self):
        """What workers tell next, unless it is that there are more of them."""
        while (heard := self._workers.next()) is None:
            pass
        return heard

    def _is_worth_a_try(self):
        if self.pays is False or self._is_small or len(self._here) < processors():
            return False
        return self._left * sum(seconds for seconds, _ in self._here) / len(self._here) > WORTH

    def _decide(self, room):
        """Once each worker has done a group, which took the compiling of its loop just as here."""
        if self.pays is not None or len(self._there) < room:
            return
        here, there = (1e3 * sum(seconds) / sum(epochs) for seconds, epochs in (zip(*self._here), zip(*self._there)))
        self.pays = there < here
        end = "they go on" if self.pays else "they are let go"
        self._say(f"small models: {here:.3g} ms for an epoch of one in this process, {there:.3g} by {room} workers: {end}.")

    def _let_go(self):
        self._open.close()
        self._workers = None
        self._away.clear()


def _taken(results):
    """[(seconds, epochs)] of a group, all members added up; nothing where none of them came to an end."""
    trained = [one for one in results if isinstance(one, Trained)] if isinstance(results, list) else []
    return [(sum(one.seconds for one in trained), sum(len(one.history["epoch"]) for one in trained))] if trained else []


def _ignore(epochs):
    """Nothing: a worker tells of epochs with its results."""
