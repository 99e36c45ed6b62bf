"""The class that ``--target`` names."""

from collections.abc import Sequence

from keras_explainable.common import near_names


def index_of(name: str, classes: Sequence[str]) -> int:
    """Return the index of the class of a name.

    Raises:
        ValueError: If there is none, or several have it.
    """
    found = [index for index, each in enumerate(classes) if each == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(
            f"--target must be an index for a name of several classes; {name} is the "
            f"name of {', '.join(map(str, found))}."
        )
    raise ValueError(
        "--target must be top1, top3, the index of a class or its name; received "
        f"{name}. The model has {near_names.listing('classes', name, classes)}"
    )
