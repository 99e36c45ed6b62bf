"""Find the calls of a layer in a graph, and the tensors that they read and write."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import keras

from keras_explainable.common.structures import flatten
from keras_explainable.inspection.find_layers import GLOBAL_POOLING
from keras_explainable.network.graph import Step
from keras_explainable.network.layers_of_model import layers_within

#: A layer or its name, for its output; {"name": ..., "link": "input"} for its input;
#: {"name": ..., "node": k} for its k-th call.
Endpoint: TypeAlias = str | keras.Layer | Mapping[str, Any]


class LayerLink(NamedTuple):
    """The output or input of a layer, for one of its calls or (None) for all."""

    layer: Any
    link: str = "output"
    node: int | None = None


def parse(wanted: Endpoint | list[Endpoint] | None) -> tuple[LayerLink, ...]:
    """Return the links that the arguments of ``expose`` stand for."""
    several = wanted if isinstance(wanted, list | tuple) else [wanted]
    return tuple(_parse_one(each) for each in several if each is not None)


def _parse_one(wanted: Endpoint) -> LayerLink:
    found = LayerLink(wanted) if isinstance(wanted, str | keras.Layer) else None
    if isinstance(wanted, Mapping) and {*wanted} <= {"name", "link", "node"}:
        layer, link = wanted.get("name", ""), wanted.get("link", "output")
        found = LayerLink(layer, link, wanted.get("node"))
    if found is None or not _is_valid(found):
        raise ValueError(
            "`layer` (of `expose`, `arguments` and `outputs`) must be a layer, its "
            "name, or "
            '{"name": ..., "link": "input" or "output", "node": 0, 1, ...}; '
            f"received {wanted!r}."
        )
    return found


def _is_valid(link: LayerLink) -> bool:
    is_count = type(link.node) is int and link.node >= 0
    return link.link in ("input", "output") and (link.node is None or is_count)


def tensors_of(calls: list[Step], link: LayerLink) -> list[keras.KerasTensor]:
    """Return the tensor of each call that a link stands for.

    Args:
        calls: All calls in a graph, in order of execution.
        link: The output or input of a layer.

    Raises:
        ValueError: If there is no such call.
    """
    found = _calls_of(calls, link.layer)
    if link.node is not None and link.node >= len(found):
        raise ValueError(
            f"`node` must be below {len(found)}, the number of calls of "
            f"{_name(link.layer)!r}; received {link.node}."
        )
    found = found if link.node is None else [found[link.node]]
    ends = [call.outputs if link.link == "output" else call.reads for call in found]
    return [flatten(tensors)[0] for tensors in ends]


def _calls_of(calls: list[Step], layer: Any) -> list[Step]:
    same = [call for call in calls if call.operation is layer]
    name = _name(layer)
    if found := same or [call for call in calls if call.operation.name == name]:
        _check_same(found, name)
        return found
    for call in calls:
        if name in [inner.name for inner in layers_within(call.operation)]:
            raise ValueError(
                f"`model` must call the layer {name!r} itself; received one that calls "
                f"it within {call.operation.name!r} "
                f"({type(call.operation).__name__}), which may be named instead."
            )
    names = [*dict.fromkeys(call.operation.name for call in calls)]
    raise ValueError(
        f"`model` must have a layer named {name!r}; received one with {names}."
    )


def _check_same(calls: list[Step], name: str) -> None:
    """Raise ValueError if a name stands for layers of several nested models."""
    count = len({id(call.operation) for call in calls})
    if count > 1:
        raise ValueError(
            f"`layer` must be one layer; received the name {name!r}, which {count} "
            "layers of nested models have. Pass the layer itself, such as "
            f"`model.get_layer(...).get_layer({name!r})`."
        )


def _name(layer: Any) -> Any:
    return getattr(layer, "name", layer)


def last_spatial(calls: list[Step], inputs: Any) -> LayerLink:
    """Return the link to the input of the last global pooling, or last spatial output.

    Either has as many axes as the model input with the most axes.

    Args:
        calls: All calls in a graph, in order of execution.
        inputs: Inputs of the graph.

    Raises:
        ValueError: If there is no such layer.
    """
    rank = max(len(symbol.shape) for symbol in flatten(inputs))
    pooled = [x for x in calls if isinstance(x.operation, GLOBAL_POOLING)]
    ends = [
        *((call.reads[0], call, "input") for call in reversed(pooled)),
        *((flatten(call.outputs)[0], call, "output") for call in reversed(calls)),
    ]
    for symbol, call, link in ends:
        if len(symbol.shape) == rank > 2 and 1 not in symbol.shape[1:-1]:
            return LayerLink(call.operation, link)
    raise ValueError(
        "`model` must have a layer with spatial output, such as (B, H, W, C), which "
        "`layer=` may name; received one without."
    )
