"""Parameters of ``explain`` that had a meaning in Keras 2."""

from typing import Any

from keras_explainable.common.warnings import Once

#: Each parameter, its default, and why it has no effect any more.
IGNORED = {
    "max_queue_size": (10, "Keras 3 sets it in the `PyDataset`"),
    "workers": (1, "Keras 3 sets it in the `PyDataset`"),
    "use_multiprocessing": (False, "Keras 3 sets it in the `PyDataset`"),
    "force": (True, "a method is compiled again when the model has changed"),
}

_once = Once()


def warn_of_ignored(**params: Any) -> None:
    """Warn once of each parameter that is not the default and has no effect."""
    for name, value in params.items():
        default, reason = IGNORED[name]
        if value != default:
            _once.warn(name, f"`{name}` has no effect and may be omitted: {reason}.")
