"""Estimates that are kept, those used last in a bounded memory."""

from collections import OrderedDict

from keras_explainable.explorer.estimates import Estimate
from keras_explainable.explorer.settings import Setting

#: Bytes of all estimates together.
MEMORY = 1 << 29


class KeptEstimates:
    """Estimates by setting and number of repetitions.

    Args:
        memory: The most bytes of all; those used least recently are dropped.
    """

    def __init__(self, memory: int = MEMORY):
        self._memory = memory
        self._kept: OrderedDict[tuple[Setting, int], Estimate] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """The memory that all take."""
        return sum(estimate.nbytes for estimate in self._kept.values())

    def best(self, setting: Setting, most: int) -> Estimate | None:
        """Return the estimate of the most repetitions, at most so many, if any."""
        known = [n for found, n in self._kept if found == setting and n <= most]
        if not known:
            return None
        key = setting, max(known)
        self._kept.move_to_end(key)
        return self._kept[key]

    def every(self, setting: Setting) -> list[Estimate]:
        """Return the estimates of a setting, that of the fewest repetitions first."""
        found = [each for key, each in self._kept.items() if key[0] == setting]
        return sorted(found, key=lambda each: each.repetitions)

    def put(self, setting: Setting, new: Estimate, old: Estimate | None) -> None:
        """Keep an estimate; of those on the way, only powers of two are kept."""
        if old is not None and old.repetitions & (old.repetitions - 1):
            self._kept.pop((setting, old.repetitions), None)
        self._kept[setting, new.repetitions] = new
        while self.nbytes > self._memory and len(self._kept) > 1:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget all estimates."""
        self._kept.clear()
