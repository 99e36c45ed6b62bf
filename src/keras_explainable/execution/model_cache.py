"""A cache of objects derived from models, which lives as long as each model."""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from keras_explainable.types import Model

Value = TypeVar("Value")


class ModelCache:
    """Values by model and key; for each model the least recently used goes first.

    No value may hold its model, which would then never be freed.

    Attributes:
        capacity: Maximum number of values for one model.
        lock: Held while a value is made, which may make others.
    """

    def __init__(self, capacity: int, outdated: Callable[[Model], None] | None = None):
        """Start empty; ``outdated(model)`` is called when a model's state changes."""
        self.capacity, self.lock, self._outdated = capacity, threading.RLock(), outdated
        self._values = weakref.WeakKeyDictionary[Model, OrderedDict[Hashable, Any]]()

    def get(
        self, model: Model, key: Hashable, make: Callable[[], Value], state: Any = None
    ) -> Value:
        """Return the cached value, made anew if it is missing or the state differs."""
        with self.lock:
            cached = self._values.setdefault(model, OrderedDict())
            if key in cached and cached[key][0] != state:
                del cached[key]
                if self._outdated is not None:
                    self._outdated(model)
            if key not in cached:
                cached[key] = state, make()
            cached.move_to_end(key)
            while len(cached) > self.capacity:
                cached.popitem(last=False)
            return cached[key][1]

    def count(self, model: Model) -> int:
        """Return the number of values cached for a model."""
        return len(self._values.get(model, ()))

    def invalidate(self, model: Model) -> None:
        """Drop all values of a model."""
        with self.lock:
            self._values.pop(model, None)
