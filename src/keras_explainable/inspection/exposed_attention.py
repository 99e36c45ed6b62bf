"""Models whose probabilities of attention are outputs, too."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from keras_explainable.common.structures import first_of, flatten
from keras_explainable.inspection.exposed_layers import exposed_outputs
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.inspection.placed_keys import with_placed_keys
from keras_explainable.inspection.wrapped_model import class_name
from keras_explainable.network.attention_products import Attention, attentions_of
from keras_explainable.network.graph import Graph, GraphModel, ids
from keras_explainable.network.layers_of_user import is_of_user
from keras_explainable.network.opened_attention import with_opened_attention
from keras_explainable.types import Model

#: Names of layers with attention; None for all.
Names = str | Sequence[str] | None


def expose_attention(model: Model, layers: Names = None, every: bool = False) -> Model:
    """Return a model with outputs ``[output, *probabilities]``.

    Its layers of attention run as operations that form the probabilities.

    Args:
        model: Functional or Sequential Keras model, which is only read.
        layers: Names of layers, as the keys of ``ke.attention_maps``.
        every: Whether to expose attention that does not change the first output, too.

    Raises:
        ValueError: If there is no such attention, or inner layers are not known.
    """
    names = [layers] if isinstance(layers, str) else layers
    key = None if names is None else tuple(names)
    exposed = rewritten_model(model, _with_attention, key, every)
    if exposed is model:
        raise ValueError(
            "`model` must be a Functional or Sequential model to find its attention; "
            f"received {class_name(model)}."
        )
    return exposed


def exposes_attention(model: Model) -> bool:
    """Return whether a model, or the one that it is a copy of, exposes attention."""
    return isinstance(model, GraphModel) and bool(exposed_attention(model))


def exposed_attention(model: Model) -> list[Attention]:
    """Return the attention that a model exposes, in order."""
    graph, _ = exposed_outputs(model)
    exposed = ids(flatten(graph.outputs)[1:])
    return [each for each in attentions_of(graph) if id(each.symbol) in exposed]


def _with_attention(graph: Graph, names: tuple[str, ...] | None, every: bool) -> Graph:
    opened = with_opened_attention(graph)
    first, found = [first_of(opened.outputs)], attentions_of(opened)
    if not every:
        on_path = replace(opened, outputs=first).pruned()
        needed = ids([step.reads for step in on_path.steps])
        found = [each for each in found if id(each.symbol) in needed]
    if not found:
        raise _missing(opened)
    found = found if names is None else _chosen(found, names)
    kept = flatten(opened.outputs) if every else first
    outputs = [*kept, *(each.symbol for each in found)]
    opened = replace(opened, outputs=outputs, exposed=True).pruned()
    return opened if every else with_placed_keys(opened, found[0])


def _chosen(found: list[Attention], names: Iterable[str]) -> list[Attention]:
    """Return attention with the given names, or within layers of these names."""
    for name in names:
        if not any(_is_of(each, name) for each in found):
            listed = [each.name for each in found]
            raise ValueError(
                f"`layers` must be names of attention in the model, among {listed}; "
                f"received {name!r}."
            )
    return [each for each in found if any(_is_of(each, name) for name in names)]


def _is_of(attention: Attention, name: str) -> bool:
    return attention.name == name or attention.name.startswith((f"{name}/", f"{name}:"))


def _missing(graph: Graph) -> ValueError:
    unknown = [x.operation.name for x in graph.steps if is_of_user(x.operation)]
    hint = (
        f" What the layers {unknown} compute is not known: their calls must be made of "
        "functions of `keras.ops` and layers such as `keras.layers.MultiHeadAttention`."
    )
    return ValueError(
        "`model` must have attention: a softmax whose probabilities weigh values in a "
        "matrix product; received one in which none was found."
        f"{hint if unknown else ''}"
    )
