"""An explanation as arrays by name and a text, which any format of files can hold."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_explainable.common.precision import storable
from keras_explainable.engine.explanation.facts import Facts, LazyFingerprint
from keras_explainable.engine.explanation.inputs import by_input, structured
from keras_explainable.sampling.stats import Stats

#: What the names of arrays of maps begin with.
MAPS = "maps"


def flatten(results: tuple[Any, ...], facts: Facts) -> tuple[str, dict[str, Any]]:
    """Return the text and the arrays of results and their facts, without the images."""
    logits, maps, *stats = results
    parts = by_input(maps, facts.several_inputs)
    numbers = [len(part) if isinstance(part, list) else None for part in parts.values()]
    arrays = {"logits": storable(logits), **_map_arrays(parts)}
    notes: dict[str, Any] = {
        "method": facts.method,
        "preprocessing": facts.preprocessing,
        "model": facts.model.value,
        "inputs": [*parts],
        "input_names": facts.input_names,
        "unit_count": facts.unit_count,
        "maps": numbers,
    }
    if facts.units is not None:
        arrays["units"] = facts.units
    if facts.labels is not None:
        names, places = np.unique(facts.labels, return_inverse=True)
        notes["labels"] = names.tolist()
        arrays["labels"] = places.reshape(facts.labels.shape)
    if stats:
        own = by_input(stats[0], facts.several_inputs)
        notes["stats"] = [each.facts for each in own.values()]
        for number, each in enumerate(own.values()):
            arrays |= {f"stats_{number}_{n}": a for n, a in each.arrays().items()}
    return json.dumps(notes), arrays


def restored(text: str, arrays: Mapping[str, Any]) -> tuple[tuple[Any, ...], Facts]:
    """Return the results and facts that ``flatten`` took apart."""
    notes = json.loads(text)
    inputs = notes["inputs"]
    places = arrays.get("labels")
    facts = Facts(
        method=notes["method"],
        preprocessing=notes["preprocessing"],
        units=arrays.get("units"),
        labels=None if places is None else np.array(notes["labels"])[places],
        model=LazyFingerprint(notes["model"]),
        several_inputs=inputs != [None],
        input_names=tuple(notes.get("input_names", ())),
        unit_count=notes.get("unit_count"),
    )
    maps = [_maps(arrays, *each) for each in enumerate(notes["maps"])]
    results = [arrays["logits"], structured(dict(zip(inputs, maps, strict=True)))]
    if "stats" in notes:
        own = [_stats(arrays, *each) for each in enumerate(notes["stats"])]
        results.append(structured(dict(zip(inputs, own, strict=True))))
    return tuple(results), facts


def _map_arrays(parts: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the maps of each input by name; one array, or one for each image."""
    found: dict[str, Any] = {}
    for number, part in enumerate(parts.values()):
        if isinstance(part, list):
            found |= {f"{MAPS}_{number}_{n}": storable(x) for n, x in enumerate(part)}
        else:
            found[f"{MAPS}_{number}"] = storable(part)
    return found


def _maps(arrays: Mapping[str, Any], number: int, images: int | None) -> Any:
    if images is None:
        return arrays[f"{MAPS}_{number}"]
    return [arrays[f"{MAPS}_{number}_{place}"] for place in range(images)]


def _stats(arrays: Mapping[str, Any], number: int, facts: dict[str, Any]) -> Stats:
    prefix = f"stats_{number}_"
    own = {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
    return Stats.of_arrays(own, facts)
