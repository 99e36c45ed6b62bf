"""Backward passes with rules of their own, for networks with attention.

Values stay as they are. Inputs times their derivatives then say what they contribute:
every operation passes on what it is given, but for what its constants take.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import keras
import numpy as np
from keras import layers, ops

from keras_explainable import backend
from keras_explainable.common.structures import is_float
from keras_explainable.network.activations import activation_of, with_split_activations
from keras_explainable.network.affine_steps import is_affine_when_tried
from keras_explainable.network.attention_products import attentions_of
from keras_explainable.network.fixed_factors import (
    FixedFactors,
    Function,
    constant,
    fixed_divisor,
    fixed_scale,
    fixed_slope,
    rules_of,
    shared,
    unchanged,
)
from keras_explainable.network.functions_of_one import (
    JoinedSteps,
    with_functions_of_one,
)
from keras_explainable.network.graph import Graph, Step, ids
from keras_explainable.network.layers_of_user import (
    calls_function,
    is_function_of_user,
    is_of_user,
)
from keras_explainable.network.opened_attention import with_opened_attention
from keras_explainable.network.operation_kinds import (
    LINEAR,
    QUOTIENTS,
    is_inverse,
    is_relu,
    keras_name,
    relu_limit,
)
from keras_explainable.network.quantity_columns import CHOOSING_OPERATIONS
from keras_explainable.network.shared_scores import shared_scores
from keras_explainable.network.time_distributed import (
    PerFrame,
    graph_of_frame,
    operation_on_frames,
)

#: ``attnlrp``: layer-wise relevance propagation (Achtibat et al., 2024). ``libragrad``:
#: balanced gradients (Mehri et al., 2025), which stop at probabilities of attention.
Rules = Literal["attnlrp", "libragrad"]

#: Products of tensors.
_PRODUCTS = {"Multiply", "Matmul", "Einsum", "Dot", "Tensordot", "Inner"}

#: Activations whose derivatives are their slopes already, and those of several values.
_LEFT = {"linear", "relu", "leakyrelu", "softmax", "logsoftmax", "sparsemax", "glu"}

#: Functions of single values whose derivatives are their slopes, too.
_PIECEWISE_LINEAR = {"absolute", "leakyrelu", "prelu", "relu"}

#: Names of elementwise functions, as layers, activations and operations.
_ELEMENTWISE = {name.replace("_", "") for name in dir(keras.activations)} - _LEFT
_ELEMENTWISE |= {
    "arccos", "arcsin", "arcsinh", "arctan", "arctanh", "clip", "cos", "cosh", "erf",
    "exp", "expm1", "log", "log10", "log1p", "log2", "maximum", "minimum", "power",
    "sin", "sinh", "sqrt", "square", "tan",
}  # fmt: skip


def with_rules(graph: Graph, rules: Rules) -> Graph:
    """Return the graph whose derivatives follow rules.

    Layers of attention, and the user's own layers, run as their operations.

    Raises:
        ValueError: If Keras does not know the operations of a layer of the user's.
    """
    flat = _with_rules(graph, rules)
    if not flat.steps or follows_rules(flat.steps, rules):
        return flat
    last = _marked(flat.steps[-1], rules)  # They are recognized by a step.
    return replace(flat, steps=(*flat.steps[:-1], last))


def _with_rules(graph: Graph, rules: Rules) -> Graph:
    split = with_split_activations(graph, _ends_in_function_of_user, every=True)
    opened = with_opened_attention(split, every=True)
    flat = with_split_activations(opened, _ends_in_elementwise, every=True)
    flat = with_functions_of_one(flat, _is_function_of_one)
    found = attentions_of(flat) if rules == "libragrad" else []
    fixed, steps = ids([each.symbol for each in found]), list[Step]()
    reached, unknown = ids(flat.inputs), list[Step]()
    for step in flat.steps:
        reads = [x for x in step.reads if id(x) in reached]
        rule = _rule(step, reads, fixed, rules) if reads else None
        if rule is not None:
            step = replace(step, implementation=FixedFactors(rules, rule, step))
        if reads and rule is not constant:
            reached |= _with_derivatives(step)
            unknown += [step] if runs_unknown_code(step) else []
        steps.append(step)
    if unknown:
        raise _closed(unknown, rules)
    return replace(flat, steps=tuple(steps))


def _with_derivatives(step: Step) -> set[int]:
    """Return what a step writes through which derivatives pass, by ``id``.

    Masks and choices that are computed from the input are constants.
    """
    if keras_name(step.operation) in CHOOSING_OPERATIONS | {"StopGradient"}:
        return set()
    return {id(x) for x in keras.tree.flatten(step.outputs) if is_float(x)}


def runs_unknown_code(step: Step) -> bool:
    """Return whether a step runs code of the user's that may need rules inside."""
    layer = step.operation
    own = is_of_user(layer) or calls_function(layer)
    return (
        own or is_function_of_user(activation_of(layer))
    ) and not is_affine_when_tried(step)


def _closed(steps: list[Step], rules: Rules) -> ValueError:
    names = [*dict.fromkeys(step.operation.name for step in steps)]
    return ValueError(
        f"What the layers {names} compute must be known for the rules of {rules!r}: "
        "their calls must be made of functions of `keras.ops` and layers of Keras, "
        "take no mask, and compute in the precision of their weights."
    )


def _marked(step: Step, rules: Rules) -> Step:
    return replace(step, implementation=FixedFactors(rules, unchanged, step))


def follows_rules(steps: Iterable[Step], rules: Rules) -> bool:
    """Return whether steps were rewritten by rules."""
    return any(rules_of(step) == rules for step in steps)


def _rule(
    step: Step, reads: list[Any], fixed: set[int], rules: Rules
) -> Function | None:
    """Return the function that a step runs; None if its derivatives are right.

    Args:
        step: Step of a graph.
        reads: What it reads that depends on the input.
        fixed: Probabilities of attention without derivatives.
        rules: Name of the rules.
    """
    kind = keras_name(step.operation)
    if kind == "TimeDistributed":
        return _on_frames(step, rules)
    if isinstance(step.implementation, JoinedSteps):
        return _slope_of_one(step, rules)
    if fixed & ids(step.outputs) or is_inverse(step):
        return constant
    if kind in QUOTIENTS and ids(step.args[1]) & ids(reads):
        return fixed_divisor
    if kind in _PRODUCTS:
        return partial(shared, len(reads)) if len(reads) > 1 else None
    if _is_elementwise(step.operation):
        return _slope_of_one(step, rules) if _is_first(step, reads) else None
    return fixed_scale(step.operation) or shared_scores(step.operation)


def _on_frames(step: Step, rules: Rules) -> Function | None:
    """Return the function of a layer on frames; None if it has no rules inside."""
    frames = graph_of_frame(step)
    [whole] = frames.steps
    inner = _with_rules(frames, rules)
    if not follows_rules(inner.steps, rules):
        return None
    if not step.is_plain():
        raise _closed([step], rules)
    ruled = replace(whole, implementation=lambda x, **_: inner.run((x,)))
    return lambda _, x, **__: PerFrame(ruled).call(x)


def _is_first(step: Step, reads: list[Any]) -> bool:
    return len(reads) == 1 and step.args[0] is reads[0]


def _slope_of_one(step: Step, rules: Rules) -> Function | None:
    """Return the function of a step that is a function of single values."""
    return fixed_slope if rules == "attnlrp" or _is_zero_at_zero(step) else None


def _is_zero_at_zero(step: Step) -> bool:
    """Return whether an elementwise function is 0 at 0: it adds no constant."""
    called, others = step.implementation or step.operation, step.args[1:]
    with backend.eagerly():
        shape = [n or 1 for n in step.reads[0].shape]  # A PReLU takes no other one.
        zeros = ops.zeros([1, *shape[1:]])
        return not np.any(ops.convert_to_numpy(called(zeros, *others, **step.kwargs)))


def _ends_in_elementwise(operation: Any) -> bool:
    kind = type(operation_on_frames(operation))
    is_linear = kind in (*LINEAR, layers.EinsumDense)
    return is_linear and _name(activation_of(operation)) in _ELEMENTWISE


def _ends_in_function_of_user(operation: Any) -> bool:
    layer = operation_on_frames(operation)
    own = is_of_user(layer) or calls_function(layer)
    return not own and is_function_of_user(activation_of(layer))


def _is_function_of_one(operation: Any) -> bool:
    """Return whether it is a nonlinear function of single values of any kind."""
    named = _function_name(operation) in _PIECEWISE_LINEAR
    return named or is_relu(operation) or _is_elementwise(operation)


def _is_elementwise(operation: Any) -> bool:
    """Return whether it is a nonlinear function of single values, but no ReLU."""
    operation = operation_on_frames(operation)
    if is_relu(operation):
        return relu_limit(operation) != math.inf
    return _function_name(operation) in _ELEMENTWISE


def _function_name(operation: Any) -> str:
    if isinstance(operation, layers.Activation):
        return _name(operation.activation)
    return keras_name(operation).lower()


def _name(function: Any) -> str:
    """Return the name of a function or class of Keras', and "" of the user's."""
    if function is None or is_function_of_user(function):
        return ""
    named = function if hasattr(function, "__name__") else type(function)
    return str(named.__name__).lower().replace("_", "")
