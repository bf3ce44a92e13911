"""Progress on stderr: one bar that redraws itself on a terminal, quiet lines elsewhere; always with the time left."""

import math
import shutil
import sys
import time

from kerashw import interrupts

REDRAW_SECONDS = 0.1  # on a terminal
LINE_SECONDS = 10.0  # elsewhere, while no trial ends
TRIAL_LINE_SECONDS = 1.0  # elsewhere, between the lines of trials that end in quick succession


class Progress:
    """Hears of trials and batches, shows what is done, failed and best, and how long the rest will take.

    Work is counted in epochs: those of the search, and then, from 0 again, those of the refit.
    """

    def __init__(self, name, *, quiet=False, stream=None, end=math.inf):
        self.name, self.quiet, self.objective = name, quiet, None
        self.stream = stream or sys.stderr
        self.end = end  # of the time budget, in seconds of time.monotonic
        self.is_terminal = self.stream.isatty()
        self.done = self.resumed = self.total = 0.0
        self.trials = self.failed = self.pruned = 0
        self.best = None
        self.stage = "search"
        self.began = time.monotonic()
        self.shown = -LINE_SECONDS

    def say(self, text):
        """A line that stays."""
        if not self.quiet:
            self._clear()
            print(text, file=self.stream, flush=True)

    def search_began(self, objective, recorded, best, trials, epochs):
        """What is expected, and what an earlier process has done of it."""
        ended = [trial for trial in recorded if trial.status != "running"]
        self.objective = objective
        self.expected, self.total = trials, float(epochs)
        self.trials, self.failed = len(ended), sum(trial.status == "failed" for trial in ended)
        self.pruned = sum(trial.status == "pruned" for trial in ended)
        self.best = best
        self.each = epochs / trials
        self.done = self.resumed = len(ended) * self.each
        self.began = time.monotonic()
        if ended:
            self.say(f"{self.name}: continues after {len(ended)} of {trials} trials")

    def trial_ended(self, trial, best):
        """The bar steps on to the end of that trial, however few epochs it needed."""
        self.trials += 1
        self.failed += trial.status == "failed"
        self.pruned += trial.status == "pruned"
        self.best = best
        self.done = max(self.done, self.trials * self.each)
        self._show(min_seconds=TRIAL_LINE_SECONDS)

    def refit_began(self, epochs):
        """The search is over; so many epochs of the refit remain."""
        self.stage, self.done, self.resumed, self.total = "refit", 0.0, 0.0, float(epochs)
        self.began = time.monotonic()

    def epochs(self, count):
        """So many more epochs, or parts of one, are done."""
        interrupts.check()
        self.done = min(self.done + count, self.total)
        self._show(min_seconds=LINE_SECONDS)

    def close(self):
        """The bar is gone; what was said stays."""
        self._clear()

    def callback(self):
        """A Keras callback that reports batches."""
        import keras

        progress = self

        class Report(keras.callbacks.Callback):
            told = 0.0

            def on_epoch_begin(self, epoch, logs=None):
                self.told = 0.0

            def on_train_batch_end(self, batch, logs=None):
                steps = self.params.get("steps") or 1
                progress.epochs((batch + 1) / steps - self.told)
                self.told = (batch + 1) / steps

            def on_epoch_end(self, epoch, logs=None):
                progress.epochs(1 - self.told)

        return Report()

    def _seconds_left(self):
        gone, advanced = time.monotonic() - self.began, self.done - self.resumed
        left = gone * (self.total - self.done) / advanced if advanced > 0 else 0.0
        return min(left, max(self.end - time.monotonic(), 0.0))

    def _show(self, min_seconds):
        now = time.monotonic()
        if self.quiet or now - self.shown < (REDRAW_SECONDS if self.is_terminal else min_seconds):
            return
        self.shown = now
        share = self.done / self.total if self.total else 0.0
        words = [f"{self.name} {self.stage}", f"{share:4.0%}"]
        if self.stage == "search":
            words.append(f"trials {self.trials}/{self.expected}")
            words += [f"failed {self.failed}"] if self.failed else []
            words += [f"pruned {self.pruned}"] if self.pruned else []
            words += [f"best {self.objective} {self.best.score:.5g}"] if self.best else []
        words.append(f"{duration(self._seconds_left())} left")
        text = "  ".join(words)
        if not self.is_terminal:
            print(text, file=self.stream, flush=True)
            return
        width = shutil.get_terminal_size().columns
        room = max(min(width - len(text) - 6, 30), 0)
        bar = ("█" * round(room * share)).ljust(room, "░") + "  " if room >= 8 else ""
        self.stream.write(f"\r\x1b[K{(bar + text)[: width - 1]}")
        self.stream.flush()

    def _clear(self):
        if self.is_terminal and not self.quiet:
            self.stream.write("\r\x1b[K")
            self.stream.flush()


def duration(seconds):
    """A length of time as a person says it.

    >>> duration(42), duration(130), duration(7300)
    ('42 s', '2 min 10 s', '2 h 1 min')
    """
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
