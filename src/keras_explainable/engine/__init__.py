"""Run a method over data.

In come a method, a model and data; out come logits, maps and their uncertainty, as
NumPy arrays. ``explain`` leads data one way: a source of batches, the network
prepared for the method, the method itself, postprocessing, and the joined results.
The shortcuts are ``explain`` with a method and its usual postprocessing. What any
method computes, and how results are drawn or stored, is not known here.
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """Return the module ``explaining``, imported at its first use."""
    if name != "explaining":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.explaining")
