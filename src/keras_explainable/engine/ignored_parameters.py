"""Parameters of ``explain`` that have no effect, or hardly the one that was meant."""

from collections.abc import Mapping
from typing import Any

from keras_explainable.common import checks
from keras_explainable.common.warnings import Once, warn
from keras_explainable.engine.data_iterators import is_stream
from keras_explainable.execution.method_checks import own_parameters
from keras_explainable.types import Method

#: Each parameter that had a meaning in Keras 2, its default, and why it has none now.
IGNORED = {
    "max_queue_size": (10, "Keras 3 sets it in the `PyDataset`"),
    "workers": (1, "Keras 3 sets it in the `PyDataset`"),
    "use_multiprocessing": (False, "Keras 3 sets it in the `PyDataset`"),
    "force": (True, "a method is compiled again when the model has changed"),
}

#: The number of points on the path, of methods that integrate.
PATH_STEPS = "n_steps"

_once = Once()


def warn_of_ignored(**params: Any) -> None:
    """Warn once of each parameter that is not the default and has no effect."""
    for name, value in params.items():
        default, reason = IGNORED[name]
        if value != default:
            _once.warn(name, f"`{name}` has no effect and may be omitted: {reason}.")


def check_steps(steps: Any, method: Method, x: Any, params: Mapping[str, Any]) -> None:
    """Check ``steps``, the number of batches, and warn if points of a path are meant.

    Of arrays, hardly anyone takes a part in this way.
    """
    if steps is None:
        return
    checks.integer("steps", steps, 1)
    names = [each.name for each in own_parameters(method)]
    given = {*params, *getattr(method, "keywords", ())}
    if PATH_STEPS in names and PATH_STEPS not in given and not is_stream(x):
        warn(
            f"`steps={steps}` takes no more than {steps} batches from `x`. The number "
            f"of points on the path is `{PATH_STEPS}`: write `{PATH_STEPS}={steps}` if "
            "it is meant."
        )
