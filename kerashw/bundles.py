"""Short jobs, several at once for a worker: to hand out a job may cost as much as milliseconds of it."""

import math
from collections import deque

TOGETHER = 0.25  # seconds that a bundle is to take; a worker that is at it for longer gives back what it has not begun
MOST = 8  # jobs in a bundle
RECENT = 32  # bundles that tell how long jobs take here


class Bundles:
    """Jobs on their way to workers; each goes alone unless they may be `bundled` and all recent ones were short.

    >>> bundles = Bundles(bundled=True)
    >>> bundles.size
    1
    >>> bundles.heard(["a job"], seconds=0.1)
    >>> bundles.size
    2
    >>> for name in range(5):
    ...     bundles.add(name, "job")
    >>> [[name for name, _ in bundle] for bundle in bundles.taken(free=3)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, bundled=False):
        self.bundled = bundled
        self.waiting = deque()  # (name, job), the next to go first
        self._alone = set()  # names of jobs whose worker died: one of their bundle is at fault, and it will show which
        self._paces = deque(maxlen=RECENT)  # seconds of a job, on average over each of the last bundles

    @property
    def size(self):
        """How many jobs a worker may get at once now; the slowest of the last ones decides, as it holds up others."""
        if not self.bundled or not self._paces:
            return 1
        return max(1, int(TOGETHER / max(*self._paces, TOGETHER / MOST)))

    def add(self, name, job):
        """The job waits for a worker."""
        self.waiting.append((name, job))

    def taken(self, free):
        """Bundles for so many free workers, of even sizes: [(name, job), ...] each. They wait no longer."""
        while free and self.waiting:
            count = min(self.size, math.ceil(len(self.waiting) / free))
            bundle = [self.waiting.popleft()]
            while len(bundle) < count and self._alone.isdisjoint((bundle[-1][0], self.waiting[0][0])):
                bundle.append(self.waiting.popleft())
            free -= 1
            yield bundle

    def heard(self, names, seconds, left=()):
        """These jobs of a bundle are done, and took so long; what is `left` of it goes next."""
        self._alone.difference_update(names)
        self._paces.append(seconds / len(names))
        self.waiting.extendleft(reversed(left))

    def died(self, names):
        """The worker that had a bundle is dead; jobs of these names go alone from now on."""
        self._alone.update(names)
