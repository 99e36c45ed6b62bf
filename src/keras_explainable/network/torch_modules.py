"""PyTorch modules within a model, which a call of it puts in evaluation mode."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from keras_explainable.network.layers_of_model import held_layers
from keras_explainable.types import Model


@contextmanager
def modes_kept(model: Model) -> Iterator[None]:
    """Return a context after which each module is in the mode that it was in."""
    held = held_layers(model) if isinstance(model, keras.Layer) else ()
    wrappers = [x for x in held if isinstance(x, keras.layers.TorchModuleWrapper)]
    modules = [module for wrapper in wrappers for module in wrapper.module.modules()]
    modes = [module.training for module in modules]
    try:
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
