"""Warnings about noise that hardly changes inputs, or hides them."""

import numpy as np

from keras_explainable.common.structures import Nested, flatten
from keras_explainable.common.warnings import Once
from keras_explainable.network.input_kinds import takes_noise
from keras_explainable.network.model_inputs import input_names, names_in_order
from keras_explainable.sampling.averaging_loop import MethodCall
from keras_explainable.sampling.noise import PADDING, Noise

#: Below this fraction of an image's range, sigma is too small to smooth anything.
NEGLIGIBLE_LEVEL = 0.002

#: Above this multiple of the range, copies show nothing of the image. A lower bound
#: would warn of single images of low contrast.
EXCESSIVE_LEVEL = 2

_UNITS = (
    "`noise` is in units of the model's input; `noise_level=0.1` is 10 % of each "
    "image's range."
)


def warn_of_noise(
    once: Once, noise: Noise, call: MethodCall, sigma: Nested, spans: Nested
) -> None:
    """Warn, once of each kind, if the noise of a batch is too small or too large.

    Args:
        once: What was warned of before.
        noise: Parameters of the noise.
        call: Model and inputs (B, ...).
        sigma: Standard deviations (B, 1) or (B, C), for each input.
        spans: Ranges (B,) of the values of each input.
    """
    used = call.ids != PADDING
    names = input_names(call.model) or names_in_order(call.inputs)
    noisy = takes_noise(call.model, call.inputs)
    for number, pair in enumerate(zip(flatten(sigma), flatten(spans), strict=True)):
        scale, ranges = pair[0][used], pair[1][used]
        once.warn("noise", negligible_noise_warning(scale, ranges))
        once.warn("large noise", excessive_noise_warning(scale, ranges))
        if noise.by_range and noisy[number] and not scale.any(axis=1).all():
            name = names[number] if len(noisy) > 1 else "the input"
            once.warn(f"range {number}", _no_range_warning(name, ranges))


def negligible_noise_warning(sigma: np.ndarray, spans: np.ndarray) -> str | None:
    """Return a warning if sigma is not 0 but too small to smooth; else None."""
    sigma = sigma.max(axis=1)
    small = (sigma > 0) & (sigma < NEGLIGIBLE_LEVEL * spans)
    if not small.any():
        return None
    worst = int(np.argmax(small))
    return (
        f"The noise hardly changes the input: sigma is {sigma[worst]:.3g}, less "
        f"than {NEGLIGIBLE_LEVEL:.1%} of the range {spans[worst]:.3g} of the input's "
        f"values, so the map is nearly that of the wrapped method. {_UNITS}"
    )


def excessive_noise_warning(sigma: np.ndarray, spans: np.ndarray) -> str | None:
    """Return a warning if sigma is far above the range of all samples; else None."""
    sigma, ranged = sigma.max(axis=1), spans > 0
    if not (ranged.any() and (sigma > EXCESSIVE_LEVEL * spans)[ranged].all()):
        return None
    first = int(np.argmax(ranged))
    return (
        f"The noise hides the input: sigma is {sigma[first]:.3g}, "
        f"{sigma[first] / spans[first]:.3g} times the range {spans[first]:.3g} of the "
        f"input's values, so the noisy copies show hardly anything of it. {_UNITS}"
    )


def _no_range_warning(name: str, spans: np.ndarray) -> str | None:
    """Return a warning if inputs have a range of 0; None if they have one."""
    constant = int((spans == 0).sum())
    if not constant:
        return None
    return (
        f"All values of {name} that can have noise are equal in {constant} of "
        f"{len(spans)} samples. Their range is 0, so that `noise_level` adds none. "
        "`noise`, which is in units of the input, does."
    )
