"""Columns of an input that the outputs read as quantities, and those that only choose.

Columns are the entries of the last axis, such as the features of a table.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable.common.structures import flatten, is_float
from keras_explainable.network.graph import Graph, Step, ids, symbols_in
from keras_explainable.network.ignored_fractions import (
    columns_with_derivatives,
    example_shape,
    ignores_fractions,
)
from keras_explainable.network.large_multiples import LargeMultiples
from keras_explainable.network.layers_of_model import has_layer
from keras_explainable.network.layers_of_user import calls_user
from keras_explainable.network.operation_kinds import MOVES, keras_name
from keras_explainable.network.time_distributed import PerFrame, operation_on_frames

#: Layers whose outputs jump where their inputs change.
CHOOSING_LAYERS = (
    layers.CategoryEncoding,
    layers.Discretization,
    layers.Embedding,
    layers.HashedCrossing,
    layers.Hashing,
    layers.IntegerLookup,
    layers.StringLookup,
)

#: Names of operations of the same kind. Others that return booleans are, too.
CHOOSING_OPERATIONS = {
    "Argmax", "Argmin", "Argsort", "Ceil", "Equal", "Floor", "Greater", "GreaterEqual",
    "IsFinite", "IsInf", "IsNan", "Less", "LessEqual", "MultiHot", "NotEqual", "OneHot",
    "Round", "SearchSorted", "Sign",
}  # fmt: skip

#: Operations that look rows up: what comes after their first argument only chooses.
LOOK_UPS = {"Take", "TakeAlongAxis"}

#: Operations whose first argument only chooses.
SELECTIONS = {"Cond", "Where"}

#: Those that change values one by one, and may turn a category into an index.
ELEMENTWISE = {
    "Absolute", "Add", "Cast", "Ceil", "Clip", "Divide", "Floor", "FloorDivide",
    "Maximum", "Minimum", "Mod", "Multiply", "Relu", "Rescaling", "Round", "Subtract",
    "TrueDivide", "Trunc",
}  # fmt: skip

#: The most columns that a layer of the user's is tried with one by one.
MOST_TRIED = 64


@dataclass(frozen=True)
class Columns:
    """Which columns of an input are quantities.

    Attributes:
        count: Number of columns; 1 if it is not known.
        quantities: Those that the outputs depend on other than by choosing.
        clear: Whether none of these is also read as a category, as far as can be told.
    """

    count: int
    quantities: frozenset[int]
    clear: bool = True


def columns_of(graph: Graph, symbol: Any) -> Columns:
    """Return the columns of one input of a graph without nested models."""
    if symbol.dtype == "bool":
        return Columns(1, frozenset())
    walk = _Walk(symbol, alone=len(flatten(graph.inputs)) == 1)
    for step in graph.steps:
        walk.follow(step)
    found = _union(walk.counted, _ends(graph)) - walk.masks
    return Columns(walk.count, found, not found & walk.categories)


def _ends(graph: Graph) -> list[Any]:
    """Return the outputs that no step reads: others may be exposed inner values."""
    outputs, read = flatten(graph.outputs), graph.times_read()
    return [x for x in outputs if not read[id(x)]] or outputs


class _Walk:
    """Follows the columns of one input from step to step."""

    def __init__(self, symbol: Any, alone: bool):
        shape = example_shape(symbol)
        known = len(shape) > 1 and symbol.shape[-1] is not None
        self.symbol, self.count = symbol, shape[-1] if known else 1
        columns = np.arange(self.count, dtype="int32")
        #: By tensor: the column that each of its values is, where only moved ones are.
        self.places = {id(symbol): np.broadcast_to(columns, shape)} if known else {}
        #: By tensor: the columns that it depends on by a derivative.
        self.counted = {id(symbol): frozenset(range(self.count))}
        #: The same, but of the values themselves, also as integers.
        self.held = dict(self.counted)
        self.categories = frozenset[int]()
        #: Integers that weight what others computed, also where their sum is a divisor,
        #: and numbers of which large multiples are added to it before a softmax.
        self.masks = frozenset[int]()
        self.multiples = None if alone else LargeMultiples(ids([symbol]))

    def follow(self, step: Step) -> None:
        """Note what one step makes of the columns."""
        if not any(id(x) in self.held or id(x) in self.counted for x in step.reads):
            return
        self.categories |= _union(self.held, _read_as_categories(step))
        if self.multiples:
            self.masks |= _union(self.held, self.multiples.hiding(step))
        moved = self._moved(step)
        for written in flatten(step.outputs):
            exact = frozenset(map(int, np.unique(moved.get(id(written), ()))))
            for known, found in (
                (self.held, self._held_by(step, written)),
                (self.counted, self._counted_by(step, written)),
            ):
                found = found & exact if id(written) in moved else found
                known |= {id(written): found} if found else {}
        self.places |= moved

    def _held_by(self, step: Step, written: Any) -> frozenset[int]:
        passes = _name(step) in MOVES | ELEMENTWISE | {"Lambda"}
        passes = passes and written.dtype != "bool"
        return _union(self.held, _quantities(step)) if passes else frozenset()

    def _counted_by(self, step: Step, written: Any) -> frozenset[int]:
        whole = not is_float(self.symbol) and self.symbol.dtype != "uint8"
        read = [x for x in _quantities(step) if id(x) in self.counted]
        # A boolean has no derivative, whatever it was computed from.
        if not read or written.dtype == "bool" or _chooses(step.operation, whole):
            return frozenset()
        if any(map(is_float, read)) and not any(map(is_float, flatten(step.outputs))):
            return frozenset()
        if whole and self._weights_others(step):
            self.masks |= _union(self.held, step.reads)
            return frozenset()
        found = _union(self.counted, read)
        return self._tried(step, read, found) if is_float(self.symbol) else found

    def _weights_others(self, step: Step) -> bool:
        """Return whether a step joins integers, as they are, to what others computed.

        Such integers may be a mask, which is multiplied or added. Side by side with
        other columns they are numbers.
        """
        if getattr(step.operation, "weights", None) or _name(step) in MOVES:
            return False
        read = ids(step.reads)
        return bool(read & self.held.keys()) and not read <= self.counted.keys()

    def _tried(
        self, step: Step, read: list[Any], found: frozenset[int]
    ) -> frozenset[int]:
        """Return the columns that a layer, which may choose, reads as quantities.

        Lambdas and layers of the user's are tried where they read the input itself.
        """
        layer = operation_on_frames(step.operation)
        if not isinstance(layer, keras.Layer):
            return found
        holds = has_layer(layer, CHOOSING_LAYERS)
        raw = len(found) <= MOST_TRIED and all(id(x) in self.places for x in read)
        if not holds and not (raw and calls_user(layer)):
            return found
        certain = not holds or isinstance(layer, keras.Model)
        ignores = partial(ignores_fractions, step, certain=certain)
        if not raw:
            everywhere = {id(x): np.ones(example_shape(x), bool) for x in read}
            return frozenset() if ignores(everywhere) else found
        parts = {c: {id(x): self.places[id(x)] == c for x in read} for c in found}
        derived = columns_with_derivatives(step, parts)
        return derived | {c for c in found - derived if not ignores(parts[c])}

    def _moved(self, step: Step) -> dict[int, np.ndarray]:
        """Return the columns of the values written, if these are only moved ones."""
        read, name = step.reads, _name(step)
        if not all(id(x) in self.places for x in read):
            return {}
        if name in ELEMENTWISE and len(read) == 1:
            [written] = flatten(step.outputs)
            place = self.places[id(read[0])]
            return {id(written): place} if example_shape(written) == place.shape else {}
        if name not in MOVES:
            return {}
        try:
            found = step.run({id(x): ops.array(self.places[id(x)]) for x in read})
        except Exception:  # Such as a batch of another size.
            return {}
        return {key: ops.convert_to_numpy(x) for key, x in found.items()}


def _union(columns: dict[int, frozenset[int]], symbols: Any) -> frozenset[int]:
    known = [columns.get(id(x), frozenset()) for x in flatten(symbols)]
    return frozenset[int]().union(*known)


def _name(step: Step) -> str:
    return keras_name(operation_on_frames(step.operation))


def _quantities(step: Step) -> Sequence[Any]:
    """Return the tensors that a step may read as quantities."""
    if isinstance(step.operation, PerFrame):
        return outer_reads(step, _quantities(step.operation.step))
    name = keras_name(step.operation)
    if name in LOOK_UPS:
        return symbols_in(step.args[:1])
    args = step.args[1:] if name in SELECTIONS else step.args
    options = {name: x for name, x in step.kwargs.items() if "mask" not in name}
    return symbols_in([args, options])


def outer_reads(step: Step, inner: Iterable[Any]) -> list[Any]:
    """Return what a step on frames reads as the given tensors of its inner step."""
    chosen, pairs = ids(list(inner)), zip(step.reads, step.operation.step.reads)  # noqa: B905
    return [outer for outer, each in pairs if id(each) in chosen]


def _read_as_categories(step: Step) -> Sequence[Any]:
    """Return the tensors that a step reads as categories; bins of numbers are none."""
    operation, name = operation_on_frames(step.operation), _name(step)
    if isinstance(operation, layers.Discretization):
        return ()
    if isinstance(operation, CHOOSING_LAYERS) or name in ("OneHot", "MultiHot"):
        return step.reads
    if name in LOOK_UPS:
        return [x for x in step.reads if id(x) not in ids(_quantities(step))]
    kept = any(is_float(x) or x.dtype == "bool" for x in flatten(step.outputs))
    casts = name in ("Cast", "Lambda") and not kept
    return [x for x in step.reads if casts and is_float(x)]


def _chooses(operation: Any, whole: bool) -> bool:
    operation = operation_on_frames(operation)
    if isinstance(operation, CHOOSING_LAYERS):
        return True
    if not isinstance(operation, keras.Layer):
        return keras_name(operation) in CHOOSING_OPERATIONS
    return whole and calls_user(operation)
