"""What is made of a model, kept while it lives."""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from keras_explainable.types import Model

Made = TypeVar("Made")


class ModelCache:
    """What was made of models, by key; of each the least recently used goes first.

    Nothing in it may hold its model, which would never go.

    Attributes:
        capacity: how many are kept of one model.
        lock: held while one is made, which may make others.
    """

    def __init__(self, capacity: int, outdated: Callable[[Model], None] | None = None):
        """Args: see above; what is called when the state of a model has changed."""
        self.capacity, self.lock, self._outdated = capacity, threading.RLock(), outdated
        self._of: weakref.WeakKeyDictionary[Model, OrderedDict[Hashable, Any]]
        self._of = weakref.WeakKeyDictionary()

    def get(
        self, model: Model, key: Hashable, make: Callable[[], Made], state: Any = None
    ) -> Made:
        """Return what ``make`` returns, made anew if the state is not what it was."""
        with self.lock:
            kept = self._of.setdefault(model, OrderedDict())
            if key in kept and kept[key][0] != state:
                del kept[key]
                if self._outdated is not None:
                    self._outdated(model)
            if key not in kept:
                kept[key] = state, make()
            kept.move_to_end(key)
            while len(kept) > self.capacity:
                kept.popitem(last=False)
            made: Made = kept[key][1]
            return made

    def count(self, model: Model) -> int:
        """Return how many are kept of a model."""
        return len(self._of.get(model, ()))

    def invalidate(self, model: Model) -> None:
        """Drop what was made of a model."""
        with self.lock:
            self._of.pop(model, None)
