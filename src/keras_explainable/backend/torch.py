"""PyTorch: eager, with the weights out of autograd's sight."""

import weakref
from collections.abc import Callable
from typing import Any

import keras
import torch

TRACING_ERRORS: tuple[type[Exception], ...] = ()  # Nothing is traced.


def vjp(function: Callable[[Any], Any], inputs: Any) -> tuple[Any, Callable[..., Any]]:
    with torch.enable_grad():
        inputs = inputs.detach().requires_grad_()
        outputs = function(inputs)

    def pullback(cotangent: Any) -> Any:
        if not outputs.requires_grad:  # The outputs do not depend on the inputs.
            return torch.zeros_like(inputs)
        (gradient,) = torch.autograd.grad(
            outputs,
            inputs,
            cotangent,
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        return gradient

    return outputs.detach(), pullback


def stack_units(function: Callable[[Any], Any], count: int) -> Any:
    return torch.stack([function(unit) for unit in range(count)], dim=-1)


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.no_grad()(function)


def compiled(function: Callable[..., Any], model: Any) -> Callable[..., Any]:
    reference = weakref.ref(model)

    @torch.no_grad()
    def call(*tensors: Any) -> Any:
        model = reference()
        weights = getattr(model, "variables", ())
        frozen = [(weight, weight.value.detach()) for weight in weights]
        with keras.StatelessScope(frozen):
            return function(model, *tensors)

    return call


def normal(keys: Any, shape: tuple[int, ...]) -> Any:
    device = keras.ops.zeros(()).device  # Where Keras puts its tensors.
    noise = torch.empty((len(keys), *shape), device=device)
    generator = torch.Generator(device)
    for row, (high, low) in zip(noise, keys.tolist(), strict=True):
        row.normal_(generator=generator.manual_seed((high << 32 | low) - (1 << 63)))
    return noise


def is_symbolic(x: Any) -> bool:
    return False


def wait(x: Any) -> None:
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
