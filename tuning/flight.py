"""The search by several workers: each gets the next trial as soon as it is free, whatever the others are at."""

import time
from dataclasses import dataclass

from kerashw import interrupts
from kerashw.errors import WorkError
from kerashw.job import Failure, Job, Outcome
from tuning.attempts import Attempt, begun, jobs
from tuning.dialogue import ask, tell
from tuning.oracles import expected_work
from tuning.standing import Budget, Standing, told
from tuning.trials import following

AGAIN = 2  # times that a trial is run again whose worker died; after that it is the trial that is at fault


@dataclass
class Flying:
    """A trial that a worker is at: the job it has now, and the generator of those to come."""

    attempt: Attempt
    waiting: object
    job: Job | None


class Flight:
    """A search whose trials are handed to `workers` one by one; what it has come to is in the store at once.

    What an oracle proposes depends on the results it knows by then, so the order of questions and answers is kept,
    and repeated by a process that continues the search.
    """

    def __init__(self, setup, store, oracle, workers, budget=Budget()):
        self.setup, self.store, self.oracle, self.workers, self.budget = setup, store, oracle, workers, budget
        self.recorded = {trial.number: trial.proposed for trial in store.trials()}
        self.standing = Standing(setup, store)
        self.flying = {}  # by number
        self.is_over = self.standing.is_hopeless

    def search(self):
        """The best trial, once every trial has ended or the time for them has; NoTrialSucceeded without any."""
        standing, progress = self.standing, self.setup.progress
        work = expected_work(self.oracle, self.setup.study)
        progress.search_began(self.setup.objective, list(standing.ended.values()), standing.best, *work)
        left = self._replayed()
        while True:
            while not self.is_over and self.workers.free() > 0:
                if standing.best and time.monotonic() > standing.deadline(self.budget):
                    self.is_over = True
                elif left:
                    self._begin(left.pop(0))
                elif fresh := ask(self.oracle, count=1):
                    self._begin(*fresh, is_turn=True)
                else:
                    break
            interrupts.check()
            if not self.flying or standing.is_hopeless:
                break
            if heard := self.workers.next():  # else there is room for more
                self._hear(*heard)
        standing.give_up(self.flying)
        return standing.winner()

    def _replayed(self):
        """The proposals whose trials had not ended when an earlier process did; the oracle is where it was then."""
        turns = self.store.turns()
        proposals = self._replayed_alone(turns)
        for kind, number in turns:
            if kind == "asked":
                proposals.update((one.number, one) for one in ask(self.oracle, self.recorded, count=1))
                if number not in proposals:
                    raise WorkError(f"trials.db: trial {number} was recorded, but this search ends before it: --overwrite.")
            else:
                self._tell(proposals.pop(number))
        return list(proposals.values())

    def _replayed_alone(self, turns):
        """Those of the trials that one process began by itself, by whole batches; the oracle knows those that had ended."""
        asked, told_later = ({trial for kind, trial in turns if kind == one} for one in ("asked", "told"))
        alone = [number for number in self.recorded if number not in asked]
        proposals = {}
        self.oracle.in_flight = False
        while alone and len(self.oracle.trials) <= max(alone):
            batch = ask(self.oracle, self.recorded)
            if not batch:
                raise WorkError(f"trials.db: trial {max(alone)} was recorded, but this search ends before it: --overwrite.")
            for proposal in batch:
                if proposal.number in self.standing.ended and proposal.number not in told_later:
                    self._tell(proposal)
                else:
                    proposals[proposal.number] = proposal
        self.oracle.in_flight, self.oracle.batch = True, 1
        return proposals

    def _begin(self, proposal, is_turn=False):
        """The trial is on its way, or has failed before."""
        self.store.begin_trial(proposal.number, proposal.proposed, is_turn=is_turn)
        attempt = begun(self.setup, self.store, proposal, self.standing.medians, elsewhere=True)
        deadline = self.standing.deadline(self.budget)
        one = Flying(attempt, jobs(self.setup, self.store, attempt, self.standing.medians, deadline), None)
        self._go_on(one, None)

    def _go_on(self, one, outcome):
        """The next training of a trial begins, or the trial ends."""
        number = one.attempt.proposal.number
        one.job = following(one.waiting, outcome)
        if one.job is not None:
            self.flying[number] = one
            self.workers.submit(number, one.job)
            return
        self.flying.pop(number, None)
        self.is_over |= one.attempt.cut
        if one.attempt.cut and (self.standing.best or not one.attempt.scores):
            self.standing.give_up([number])
            return
        self.standing.end(one.attempt, is_turn=True)
        self._tell(one.attempt.proposal)

    def _hear(self, number, outcome):
        """A worker has come to the end of a training, or to its own."""
        one = self.flying[number]
        if outcome is None:
            self.store.add_attempts(number, 1)
            deaths = self.store.trial(number).attempts
            if deaths <= AGAIN:
                self.workers.submit(number, one.job)
                return
            outcome = Outcome(None, Failure("killed", f"ended the worker that trained it {deaths} times"), seconds=0.0)
        elif outcome.trained is not None:
            self.setup.progress.epochs(len(outcome.trained.history["epoch"]))
        self._go_on(one, outcome)

    def _tell(self, proposal):
        """The oracle knows what became of the trial, and so do those that compare others with it."""
        trial = self.standing.ended[proposal.number]
        tell(self.oracle, proposal, *told(self.setup, trial))
        if self.standing.medians:
            self.standing.medians.learn(trial)
