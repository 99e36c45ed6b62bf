"""Names of the units of a model, of which a binary classifier has only one."""

from collections.abc import Mapping, Sequence

Names = Sequence[str] | Mapping[int, str]

#: What an error adds about a model that has one unit.
ONLY_UNIT = (
    " The only unit speaks for label 1: pass its name, or the names of labels 0 and 1."
)


def names_of_units(names: Names, units: int | None) -> Names:
    """Return the names by unit.

    The only unit of a binary classifier speaks for label 1. Of the names of both
    labels, it has the second.

    Args:
        names: Names of all units in their order, or by unit.
        units: Number of units of the model; None if it is unknown.
    """
    if units != 1 or isinstance(names, str) or len(names) != 2:
        return names
    is_of_labels = not isinstance(names, Mapping) or {*names} == {0, 1}
    return [names[1]] if is_of_labels else names


def hint_of_units(units: int | None) -> str:
    """Return what an error adds about the names of a model with one unit."""
    return ONLY_UNIT if units == 1 else ""
