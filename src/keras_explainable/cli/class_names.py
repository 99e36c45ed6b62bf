"""Reads the names of a model's classes from a file."""

import json
import pathlib
from typing import Any

from keras_explainable.common.unit_names import hint_of_units, names_of_units


def read(path: pathlib.Path) -> tuple[str, ...]:
    """Return the names in a file, in the order of the model's units.

    It is a text file with a name in each line, or a JSON file (.json) with a list of
    names, or with names, or lists that end in them, by number, as in Keras'
    ``imagenet_class_index.json``.

    Raises:
        ValueError: If the file cannot be read or has another form.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        names = _of_json(text) if path.suffix.lower() == ".json" else _lines(text)
    except OSError as error:
        raise ValueError(f"--class-names {path}: {error.strerror}.") from None
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        raise ValueError(
            "--class-names must be a text file with a name in each line, or a JSON "
            f"file with a list of names, or with names by number; received {path}."
        ) from None
    return names


def of_units(names: tuple[str, ...], units: int) -> tuple[str, ...]:
    """Return a name for each unit.

    Raises:
        ValueError: If there are more or fewer names.
    """
    found = tuple(map(str, names_of_units(names, units)))
    if len(found) != units:
        raise ValueError(
            f"--class-names must have a name for each of the model's {units} "
            f"classes; received {len(names)}.{hint_of_units(units)}"
        )
    return found


def _lines(text: str) -> tuple[str, ...]:
    """Return the lines without the empty ones at the end."""
    return tuple(line.strip() for line in text.rstrip().splitlines())


def _of_json(text: str) -> tuple[str, ...]:
    found: Any = json.loads(text)
    if isinstance(found, dict):
        found = [found[str(number)] for number in range(len(found))]
    return tuple(map(_name, found))


def _name(value: Any) -> str:
    name = value[-1] if isinstance(value, list) else value
    if not isinstance(name, str):
        raise TypeError
    return name
