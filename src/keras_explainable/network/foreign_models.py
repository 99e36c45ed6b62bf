"""Refuse models of other libraries, known by where their classes were defined.

None of these libraries is imported for that.
"""

import re
from typing import Any

import keras

_KERAS_2 = re.compile(r"tf_keras\b|tensorflow\.python\.keras\b|keras(\.\w+)?\.engine\b")


def check_is_keras_model(model: Any) -> None:
    """Raise TypeError for a model of Keras 2 or PyTorch; functions are allowed."""
    if isinstance(model, keras.Layer):  # With PyTorch, this is a module of it, too.
        return
    kind = type(model)
    modules = [base.__module__ for base in kind.__mro__]
    if found := next(filter(None, map(_KERAS_2.match, modules)), None):
        raise TypeError(
            f"`model` must be a Keras 3 model; received a {kind.__name__} of "
            f"{found.group()}, which is Keras 2. Load its .h5 file "
            "with `keras.models.load_model`, or build it with `keras` and copy its "
            "weights: `new.set_weights(old.get_weights())`."
        )
    if any(module.startswith("torch.nn.") for module in modules):
        raise TypeError(
            f"`model` must be a Keras model; received a {kind.__name__} of PyTorch. "
            "With KERAS_BACKEND=torch, make it a layer of a Keras model: "
            "`keras.layers.TorchModuleWrapper(module, output_shape=(None, units))`."
        )
