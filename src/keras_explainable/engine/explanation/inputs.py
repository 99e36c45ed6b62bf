"""Maps, statistics and images of each input of a model."""

from typing import Any

#: The name of an input, its position in a list, or None for the only one.
InputName = str | int | None


def by_input(values: Any, several_inputs: bool) -> dict[InputName, Any]:
    """Return what there is of each input.

    Args:
        values: A dictionary or list with an entry for each input, or what there is of
            the only input.
        several_inputs: Whether there are several.
    """
    if not several_inputs:
        return {None: values}
    return dict(values) if isinstance(values, dict) else dict(enumerate(values))


def structured(parts: dict[InputName, Any]) -> Any:
    """Return a dictionary or list of inputs, or the only one: undoes ``by_input``."""
    if None in parts:
        return parts[None]
    is_list = all(isinstance(name, int) for name in parts)
    return [*parts.values()] if is_list else parts


def map_rank(maps: Any, batch_axes: int) -> int:
    """Return the number of axes of one map, besides that of the units.

    Args:
        maps: The maps of one input; a list if their sizes differ.
        batch_axes: The number of axes that the maps share with the logits.
    """
    of_sample = len(maps[0].shape) if isinstance(maps, list) else len(maps.shape) - 1
    return of_sample - batch_axes


def sample_word(results: tuple[Any, ...], several_inputs: bool) -> str:
    """Return what one of the explained inputs is called: "image" or "sample"."""
    logits, maps, *_ = results
    parts = by_input(maps, several_inputs).values()
    ranks = {map_rank(part, logits.ndim - 1) for part in parts}
    return "image" if ranks == {2} else "sample"


def images_of(images: Any, name: InputName) -> Any:
    """Return the images of one input; None if there are none."""
    if name is None or images is None:
        return images
    return images[name]
