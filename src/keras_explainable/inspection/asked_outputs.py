"""Outputs of a model as a function for ``y`` is given them, which may ask for some."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class AskedOutputs:
    """Knows which of its outputs were asked for.

    Args:
        values: Outputs by their key or position.
        keys: All keys. A function whose model has no others must not ask for these.
    """

    def __init__(self, values: Mapping[Any, Any], keys: Sequence[Any]):
        self._values, self._keys, self.asked = values, keys, set[Any]()

    def __len__(self) -> int:
        return len(self._keys)

    def _output(self, key: Any) -> Any:
        self.asked.add(key)
        if key not in self._values:
            raise ValueError(
                f"it asks for the output {key!r} for some values only; it must ask for "
                "the same outputs each time, such as by `first, second = outputs`"
            )
        return self._values[key]


class AskedSequence(AskedOutputs, Sequence[Any]):
    """Outputs in a list or tuple."""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return [*map(self._output, self._keys[key])]
        return self._output(self._keys[key])


class AskedMapping(AskedOutputs, Mapping[str, Any]):
    """Outputs in a dictionary."""

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return self._output(key)


def keys_of(outputs: Any) -> Sequence[Any]:
    """Return the keys of outputs in a dictionary, or their positions."""
    return [*outputs] if isinstance(outputs, dict) else range(len(outputs))


def asked_outputs(outputs: Any, values: Mapping[Any, Any]) -> AskedOutputs:
    """Return values, by their keys, in a container like that of ``outputs``."""
    kind = AskedMapping if isinstance(outputs, dict) else AskedSequence
    return kind(values, keys_of(outputs))
