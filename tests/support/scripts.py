"""Scripts of the folder ``tools``, as modules."""

import importlib.util
import pathlib

TOOLS = pathlib.Path(__file__).parents[2] / "tools"


def loaded(name):
    """Return a script as a module, without running its ``main``."""
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
