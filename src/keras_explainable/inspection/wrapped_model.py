"""Models around one whose layers are not known, such as a subclassed model."""

from collections.abc import Callable
from typing import Any

import keras

from keras_explainable.network.graph import GraphModel, Step
from keras_explainable.types import Model


class WrappedModel(keras.Model):
    """A model that calls another one, whose variables it shares."""

    def __init__(self, model: Callable[[], Model], *layers: keras.Layer):
        """Args: function that returns the model; layers that are called besides it."""
        super().__init__(name=getattr(model(), "name", None))
        self.model = model
        self.layers_used = [*getattr(model(), "layers", ()), *layers]
        self.required_rows = required_rows_of(model())

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables of the model, also those that no layer of its holds."""
        own = {id(x): x for x in getattr(self.model(), "variables", ())}
        return [*(own | {id(x): x for x in super().variables}).values()]

    def get_build_config(self) -> dict[str, Any] | None:
        """Return the shapes of the model's inputs."""
        config: dict[str, Any] | None = self.model().get_build_config()
        return config

    @property
    def calls(self) -> list[Step]:
        """What it calls, one after the other, as steps without arguments."""
        return [Step(self, (), {}, None)]


def required_rows_of(model: Model) -> int | None:
    """Return the number of rows that a model of ours needs; None for any number.

    A model of the user's may have an attribute of that name.
    """
    ours = isinstance(model, GraphModel | WrappedModel)
    return model.required_rows if ours else None


def calls_of(model: Model) -> list[Step]:
    """Return what a model calls, one after the other, as steps without arguments."""
    alone = Step(model, (), {}, None)
    return model.calls if isinstance(model, WrappedModel) else [alone]


def class_name(model: Model) -> str:
    """Return the name of the class of a user's model."""
    while isinstance(model, WrappedModel):
        model = model.model()
    return type(model).__name__
