"""Names that resemble one that does not exist."""

import difflib
from collections.abc import Collection

_COUNT = 3
_LIKENESS = 0.6  # Below it, names are as unlike as any two.
_LISTED = 12  # The most names that are all listed.


def nearest(name: str, known: Collection[str]) -> list[str]:
    """Return up to three of the known names, the most similar first.

    Upper and lower case are the same.
    """
    by_lower_case = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), by_lower_case, _COUNT, _LIKENESS)
    return [by_lower_case[each] for each in found]


def question(name: str, known: Collection[str]) -> str:
    """Return "; did you mean a, b or c?", or "" if no name is similar."""
    found = nearest(name, known)
    if not found:
        return ""
    *others, last = found
    return f"; did you mean {' or '.join([*filter(None, [', '.join(others)]), last])}?"


def listing(kind: str, name: str, known: Collection[str]) -> str:
    """Return how many names are known, all of them if they are few, and the question.

    If there are many, and none is similar, the last ones are examples.

    Args:
        kind: What the names are of, in the plural.
        name: Name that does not exist; "" if none was given.
        known: Names that exist.
    """
    asked = question(name, known)
    few, last = len(known) <= _LISTED, [*known][-_COUNT:]
    every = f" {[*known]}" if few else "" if asked else f", the last of them {last}"
    return f"{len(known)} {kind}{every}{asked or '.'}"
