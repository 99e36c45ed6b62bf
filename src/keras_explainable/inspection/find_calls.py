"""Find the calls of a layer in a graph, and the tensors that they read and write."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import keras

from keras_explainable.common import near_names
from keras_explainable.common.structures import flatten
from keras_explainable.inspection.find_layers import GLOBAL_POOLING, get_nested_layer
from keras_explainable.network.channel_axes import SPATIAL
from keras_explainable.network.graph import Step, ids
from keras_explainable.network.layers_of_model import layers_within

#: A layer or its name, for its output; a tuple of names, for a layer in nested models;
#: what a layer outputs, as a symbolic tensor; {"name": ..., "link": "input"} for a
#: layer's input; {"name": ..., "node": k} for its k-th call.
Endpoint: TypeAlias = (
    str | tuple[str, ...] | keras.Layer | keras.KerasTensor | Mapping[str, Any]
)

#: Other names of calls. A number counts them in the order in which they were made.
NODES = {"first": 0, "last": -1}


class LayerLink(NamedTuple):
    """The output or input of a layer, for one of its calls or (None) for all.

    ``call`` and ``place`` say which of its calls, by the layer's own count, and which
    of its outputs a symbolic tensor is.
    """

    layer: Any
    link: str = "output"
    node: int | None = None
    call: int | None = None
    place: int = 0


def parse(wanted: Endpoint | Sequence[Endpoint] | None) -> tuple[LayerLink, ...]:
    """Return the links that the arguments of ``expose`` stand for."""
    every = wanted if isinstance(wanted, list) else [wanted]
    if isinstance(wanted, tuple) and not _is_path(wanted):
        every = [*wanted]
    return tuple(_parse_one(each) for each in every if each is not None)


def _is_path(wanted: Any) -> bool:
    is_tuple = isinstance(wanted, tuple) and len(wanted) > 0
    return is_tuple and all(isinstance(name, str) for name in wanted)


def _parse_one(wanted: Any) -> LayerLink:
    found = None
    if isinstance(wanted, str | keras.Layer) or _is_path(wanted):
        found = LayerLink(wanted)
    elif isinstance(wanted, keras.KerasTensor):
        found = _link_of_tensor(wanted)
    elif isinstance(wanted, Mapping) and {*wanted} <= {"name", "layer", "link", "node"}:
        layer, link = wanted.get("layer", wanted.get("name", "")), wanted.get("link")
        layer = tuple(layer) if isinstance(layer, list) else layer
        node = wanted.get("node")
        node = NODES.get(node, node) if isinstance(node, str) else node
        found = LayerLink(layer, link or "output", node)
        found = found if _is_valid(found, wanted.get("node")) else None
    if found is None:
        raise ValueError(
            "`layer` (of `expose`, `arguments` and `outputs`) must be a layer, its "
            "name, a tuple of names, a symbolic tensor, or "
            '{"name": ..., "link": "input" or "output", "node": 0, 1, ..., "first" or '
            f'"last"}}; received {wanted!r}.'
        )
    return found


def _link_of_tensor(tensor: keras.KerasTensor) -> LayerLink | None:
    """Return the link to what an operation outputs; None for a tensor of no model."""
    history = getattr(tensor, "_keras_history", None)
    if history is None:
        return None
    operation, call, place = history
    return LayerLink(operation, call=call, place=place)


def _is_valid(link: LayerLink, node: Any) -> bool:
    is_count = type(link.node) is int and link.node >= 0
    known = link.node is None or is_count or node == "last"
    return link.link in ("input", "output") and known


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
    if link.call is not None:
        found = [call for call in found if call.call_number == link.call]
        if not found:
            raise ValueError(
                f"`layer` must be a tensor of `model`; received the output of another "
                f"call of {_name(link.layer)!r}, such as that of another model."
            )
    ends = [call.outputs if link.link == "output" else call.reads for call in found]
    return [flatten(tensors)[link.place] for tensors in ends]


def _calls_of(calls: list[Step], layer: Any) -> list[Step]:
    if isinstance(layer, tuple):
        outer, *inner = layer
        found = _calls_of(calls, outer)
        if not inner:
            return found
        return _calls_of(calls, get_nested_layer(found[-1].operation, inner))
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
        f"`model` must have a layer named {name!r}; received one with "
        f"{near_names.listing('layers', str(name), names)}"
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


def last_spatial(calls: list[Step], inputs: Any, any_rank: bool = False) -> LayerLink:
    """Return the link to the input of the last global pooling, or last spatial output.

    Either has as many axes as the model input with the most axes; what is pooled may
    have more, such as the axis of frequencies.

    Args:
        calls: All calls in a graph, in order of execution.
        inputs: Inputs of the graph.
        any_rank: Whether without such a layer, a convolution or pooling with other axes
            will do, such as those of images made of flat inputs or of sound.

    Raises:
        ValueError: If there is no such layer.
    """
    rank = max(len(symbol.shape) for symbol in flatten(inputs))
    pooled = [x for x in calls if isinstance(x.operation, GLOBAL_POOLING)]
    ends = [
        *((call.reads[0], call, "input") for call in reversed(pooled)),
        *((flatten(call.outputs)[0], call, "output") for call in reversed(calls)),
    ]
    # One channel is the scores of attention pooling, or a gate, rather than features.
    learned = _behind_kernels(calls)
    ends.sort(key=lambda end: end[0].shape[-1] == 1 or id(end[0]) not in learned)
    for symbol, call, link in ends:
        more = link == "input" and len(symbol.shape) > rank
        fits = (len(symbol.shape) == rank or more) and rank > 2
        if fits and 1 not in symbol.shape[1:-1]:
            return LayerLink(call.operation, link)
    for symbol, call, link in ends if any_rank else []:
        if isinstance(call.operation, SPATIAL) and len(symbol.shape) > 2:
            return LayerLink(call.operation, link)
    raise ValueError(
        "`model` must have a layer with spatial output, such as (B, H, W, C), which "
        "`layer=` may name; received one without."
    )


def _behind_kernels(calls: list[Step]) -> set[int]:
    """Return the ids of tensors that depend on a layer with a kernel.

    Others are the input itself, maybe scaled or normalized.
    """
    found = set[int]()
    for call in calls:
        weights = getattr(call.operation, "weights", None) or ()
        if any(len(x.shape) > 1 for x in weights) or found & ids(call.reads):
            found |= ids(call.outputs)
    return found
