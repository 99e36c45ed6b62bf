"""Models whose derivatives follow rules, with the values of the models themselves."""

from keras_explainable.inspection.exposed_layers import ExposedModel
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.inspection.wrapped_model import class_name
from keras_explainable.network.attribution_rules import (
    Rules,
    follows_rules,
    with_rules,
)
from keras_explainable.network.graph import GraphModel
from keras_explainable.types import Model


def model_with_rules(model: Model, rules: Rules) -> Model:
    """Return a model whose derivatives follow rules; the model itself if they do.

    Raises:
        ValueError: If the layers of the model are not known.
    """
    if isinstance(model, GraphModel) and follows_rules(model.graph.steps, rules):
        return model
    kind = type(model) if isinstance(model, ExposedModel) else GraphModel
    rewritten = rewritten_model(model, with_rules, rules, kind=kind)
    if rewritten is model:
        raise ValueError(
            f"`model` must be Functional or Sequential for the rules of {rules!r}; "
            f"received {class_name(model)}."
        )
    return rewritten
