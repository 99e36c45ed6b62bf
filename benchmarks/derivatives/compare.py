"""A framework's derivatives against differences of the function itself."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from benchmarks.derivatives.calls import Call, first_line, generic_inputs, precision_of
from benchmarks.derivatives.differences import Slopes, differs, slopes
from benchmarks.derivatives.points import Arrays, points
from keras_explainable import backend

#: Entries of each input by which is differentiated, at most: of vectors and matrices,
#: and of larger tensors.
ENTRIES, FEWER = 12, 5

#: Values of the function that are kept, at most.
KEPT = 200

#: Rounding errors, in units of the precision.
ROUNDING = 2

#: From the best to the worst. A call has the worst verdict of its entries.
VERDICTS = ("outside", "true", "kink", "none", "wrong", "NaN", "error")

#: A function of tensors that returns a vector.
Vector = Callable[..., Any]

Record = dict[str, Any]


def compared(call: Call, function: Callable[..., Any] | None = None) -> list[Record]:
    """Return a record of each point.

    Args:
        call: The call.
        function: Another function with the same values, whose derivatives are taken.
    """
    with precision_of(call.dtype):
        return list(_records(call, function or call.floats))


def _records(call: Call, function: Callable[..., Any]) -> Iterator[Record]:
    vector, other = (_vector(f, call.dtype) for f in (call.floats, function))
    vector = _compiled(vector, call)
    precision = _precision(vector, call)
    for point, arrays in points(call.shapes).items():
        inputs = [x.astype(call.dtype) for x in arrays]
        record = {
            "name": call.name,
            "point": point,
            "shapes": call.shapes,
            "dtype": call.dtype,
        }
        try:
            record |= _record(vector, other, inputs, precision)
        except Exception as error:
            record |= {"verdict": "error", "message": first_line(error)}
        yield record


def _precision(vector: Vector, call: Call) -> float:
    """Return the relative rounding of the values: some are float32 in any case."""
    values = _numpy(vector(*_tensors(generic_inputs(call))))
    is_single = np.array_equal(values, values.astype("float32"), equal_nan=True)
    return float(np.finfo("float32" if is_single else "float64").eps)


def _record(vector: Vector, other: Vector, arrays: Arrays, precision: float) -> Record:
    values = _numpy(vector(*_tensors(arrays)))
    defined = np.isfinite(values)
    weights = np.random.default_rng(3).uniform(0.5, 1.5, values.size)
    weights[~defined] = 0
    gradients = _gradients(other, arrays, weights)
    line = _Line(vector, arrays, weights, precision * np.abs(values[defined]).sum())
    places = [(k, i) for k, x in enumerate(arrays) for i in _entries(x)]
    found = [line.slopes({place: 1.0}) for place in places]
    derivatives = [float(gradients[k].reshape(-1)[i]) for k, i in places]
    verdicts = verdicts_of(derivatives, found, bool(defined.all()))
    if not {"none", "wrong"}.isdisjoint(verdicts) and line.has_tie(places, found):
        verdicts = ["kink" if x in ("none", "wrong") else x for x in verdicts]
    return {
        "verdict": max(verdicts, key=VERDICTS.index),
        "verdicts": verdicts,
        "derivatives": derivatives,
        "left": [slope.left.value for slope in found],
        "right": [slope.right.value for slope in found],
        "values": values[:KEPT].tolist(),
        "places": places,
    }


def verdicts_of(
    derivatives: Sequence[float], found: Sequence[Slopes], defined: bool
) -> list[str]:
    """Return the verdict on each derivative.

    Args:
        derivatives: The framework's derivatives.
        found: The slopes there.
        defined: Whether all values of the function are finite.
    """
    pairs = zip(derivatives, found, strict=True)
    verdicts = [_verdict(derivative, slope, defined) for derivative, slope in pairs]
    lost = not np.any(derivatives)
    return ["none" if lost and x == "wrong" else x for x in verdicts]


def _verdict(derivative: float, slope: Slopes, defined: bool) -> str:
    infinite = slope.has_infinite() or slope.has_end()
    if np.isnan(derivative) or (np.isinf(derivative) and not infinite):
        return "NaN" if defined else "outside"
    if infinite or slope.has_kink():
        return "kink"
    return "wrong" if differs(derivative, slope.central) else "true"


class _Line(NamedTuple):
    """The weighted sum of the defined values along lines through some inputs."""

    vector: Vector
    arrays: Arrays
    weights: np.ndarray
    rounding: float

    def slopes(self, direction: Mapping[tuple[int, int], float]) -> Slopes:
        """Return the slopes in a direction, which has the given entries."""
        tensors = _tensors(self.arrays)

        def function(step: float) -> float:
            moved = {which: self.arrays[which].copy() for which, _ in direction}
            for (which, entry), part in direction.items():
                moved[which].reshape(-1)[entry] += step * part
            for which, array in moved.items():
                tensors[which] = _tensors([array])[0]
            values = _numpy(self.vector(*tensors))
            used = self.weights > 0
            return float(values[used] @ self.weights[used])

        return slopes(function, ROUNDING * self.rounding)

    def has_tie(
        self, places: Sequence[tuple[int, int]], found: Sequence[Slopes]
    ) -> bool:
        """Return whether the slopes by single entries do not add up.

        A median of equal values does not change with any single one of them, but with
        all of them together.
        """
        signs = np.random.default_rng(4).choice([-1.0, 1.0], len(places))
        for parts in (np.ones(len(places)), signs):
            slope = self.slopes(dict(zip(places, parts, strict=True)))
            total = sum(
                part * each.central.value
                for part, each in zip(parts, found, strict=True)
            )
            if slope.has_kink() or not abs(total - slope.central.value) <= (
                1e-2 * (abs(total) + abs(slope.central.value)) + 1e-3
            ):
                return True
        return False


def _gradients(vector: Vector, arrays: Arrays, weights: np.ndarray) -> Arrays:
    outputs, pull, _ = backend.vjp(lambda xs: (vector(*xs), ()), _tensors(arrays))
    cotangent = ops.cast(ops.convert_to_tensor(weights), outputs.dtype)
    return [_numpy(x) for x in pull(cotangent)]


def _vector(function: Callable[..., Any], dtype: str) -> Vector:
    """Return a function whose outputs are joined."""

    def vector(*tensors: Any) -> Any:
        outputs = keras.tree.flatten(function(*tensors))
        flat = [ops.reshape(ops.cast(x, dtype), (-1,)) for x in outputs]
        return ops.concatenate(flat) if len(flat) > 1 else flat[0]

    return vector


def _compiled(vector: Vector, call: Call) -> Vector:
    """Return the function compiled, if it can be: operations one by one are slow."""
    compiled = _compilers()[keras.backend.backend()](vector)
    try:
        compiled(*_tensors(generic_inputs(call)))
    except Exception:  # It looks at values.
        return vector
    return compiled


def _compilers() -> dict[str, Callable[[Vector], Vector]]:
    """Return how each backend compiles; TensorFlow without XLA, which differs more."""

    def traced(vector: Vector) -> Vector:
        import tensorflow as tf

        return tf.function(vector)

    return {"tensorflow": traced, "jax": backend.jit, "torch": lambda vector: vector}


def _tensors(arrays: Arrays) -> list[Any]:
    return [ops.convert_to_tensor(x) for x in arrays]


def _numpy(x: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x), "float64")


def _entries(x: np.ndarray) -> list[int]:
    """Return the places of some entries, spread evenly."""
    count = min(x.size, ENTRIES if x.ndim <= 2 else FEWER)
    return [int(place) for place in np.linspace(0, x.size - 1, count)]
