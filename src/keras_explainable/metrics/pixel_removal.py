"""Faithfulness: how the score changes when pixels are removed in a map's order.

Where the baseline is the same, showing the largest pixels first ("insertion") makes the
same copies, in the opposite order, as removing the smallest ones first ("lerf").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_explainable.common import checks
from keras_explainable.metrics.map_arrays import Floats
from keras_explainable.metrics.map_batch import MapBatch
from keras_explainable.metrics.orientation import higher_is_better, lower_is_better
from keras_explainable.metrics.perturbing_metric import perturbing_metric
from keras_explainable.metrics.removal_curves import (
    ORDERS,
    area_under,
    counts_of,
    curves_of,
    scores_along,
)
from keras_explainable.types import Model


@lower_is_better
@perturbing_metric(logits=False)
def deletion(batch: MapBatch, *, steps: int = 100, baseline: Any = 0.0) -> Floats:
    """Return the area under the score while the largest pixels are removed (N, K).

        score = integral from 0 to 1 of f(x without its fraction t of largest pixels) dt

    The pixels of each unit's own map are removed, that is, replaced by the baseline, in
    equal steps from none to all. The integral is that of straight lines between them.
    If the map shows what the score depends on, the score soon drops. Lower is better.

    The scores depend on the order of the pixels only. Equal values are put into an
    order that is random, but the same for the same id and seed.

    Args:
        model: Keras model with one input, as for ``ke.explain``. It is never changed.
        x: Inputs (N, H, W, C), in any form that ``ke.explain`` takes.
        maps: Maps (N, H, W, K) of the inputs, in their size; or a list of maps of
            different sizes.
        y: The units of the maps, or what else was explained, as for ``ke.explain``.
        steps: Number of steps from all pixels to none.
        baseline: What replaces removed pixels: a number, one for each channel (C,), an
            image (H, W, C), or "mean", the mean of each channel of the image; "blur",
            the image without its details; "uniform", uniform noise between minimum and
            maximum of the image, one draw for each of them; or "noisy_linear", the
            weighted mean of the neighbours with a little noise (ROAD), for images only.
        logits: False scores what the model returns, such as probabilities; True the
            logits; None what ``ke.explain`` explains: logits, or the value of a target.
        batch_size: The most copies that go through the network at once. By default, a
            number that suits the model. It does not change the scores.
        ids: One integer >= 0 for each image, by default its position; random draws
            depend on it and on the seed.
        seed: Integer >= 0. Draws are the same for all maps of an image.
        verbose: "auto" or 1 shows a progress bar of images; 2 a line; 0 nothing.

    Returns:
        Scores (N, K), in units of the output.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If maps and inputs do not fit, a value is not finite, or a parameter
            is not as described.
        ImportError: If the baseline is "noisy_linear", and SciPy is not installed.

    Reference: Petsiuk et al., 2018, https://arxiv.org/abs/1806.07421
    """
    curves, fractions = curves_of(batch, ["morf"], steps, baseline)
    return area_under(curves[:, 0], fractions)


@higher_is_better
@perturbing_metric(logits=False)
def insertion(batch: MapBatch, *, steps: int = 100, baseline: Any = "blur") -> Floats:
    """Return the area under the score while the largest pixels are inserted (N, K).

        score = integral from 0 to 1 of f(b with the fraction t of largest pixels) dt

    It is the opposite of ``deletion``: the pixels of each unit's own map are put into
    the baseline b. If the map shows what suffices for the score, the score soon rises.
    Higher is better. Arguments and errors are those of ``deletion``.

    Reference: Petsiuk et al., 2018, https://arxiv.org/abs/1806.07421
    """
    curves, fractions = curves_of(batch, ["insertion"], steps, baseline)
    return area_under(curves[:, 0], fractions)


@higher_is_better
@perturbing_metric(logits=False)
def degradation_score(
    batch: MapBatch, *, steps: int = 100, baseline: Any = 0.0
) -> Floats:
    """Return the area between the curves of two orders of removal (N, K).

        score = integral from 0 to 1 of f_LeRF(t) - f_MoRF(t) dt

    f_MoRF is the score while the largest (most relevant) pixels are removed first, as
    in ``deletion``, and f_LeRF while the smallest are. What the removal as such does to
    the score cancels. A random map scores 0 on average. Higher is better. Arguments and
    errors are those of ``deletion``.

    Reference: Schulz et al., 2020, https://arxiv.org/abs/2001.00396
    """
    curves, fractions = curves_of(batch, ["lerf", "morf"], steps, baseline)
    return area_under(curves[:, 0] - curves[:, 1], fractions)


@higher_is_better
@perturbing_metric(logits=False)
def pixel_flipping(batch: MapBatch, *, steps: int = 100, baseline: Any = 0.0) -> Floats:
    """Return the mean drop of the score while the largest pixels are removed (N, K).

        score = 1 / (S + 1) sum_s f(x) - f(x without the first s of S steps)

    This is the area over the perturbation curve (AOPC) of pixel flipping; the curve
    itself is that of ``perturbation_curves``. Higher is better. Arguments and errors
    are those of ``deletion``.

    References: Bach et al., 2015, https://doi.org/10.1371/journal.pone.0130140, and
    Samek et al., 2017, https://arxiv.org/abs/1509.06321
    """
    curves, _ = curves_of(batch, ["morf"], steps, baseline)
    return np.mean(curves[:, 0, :1] - curves[:, 0], axis=1)


@higher_is_better
@perturbing_metric(logits=False)
def road(
    batch: MapBatch,
    *,
    percentiles: Sequence[float] = (20, 40, 60, 80),
    baseline: Any = "noisy_linear",
) -> Floats:
    """Return how much more the largest than the smallest pixels matter (N, K).

        score = mean over p of (f_LeRF(p) - f_MoRF(p)) / 2

    f_MoRF is the score after p percent of the pixels, the largest (most relevant), were
    removed, and f_LeRF after the smallest were. By default, removed pixels are imputed
    from their neighbours, so that their shape gives away little. A random map scores 0
    on average. Higher is better.

    Args:
        percentiles: Percentages of pixels to remove, from 0 to 100.

    The other arguments and the errors are those of ``deletion``.

    Reference: Rong et al., 2022, https://arxiv.org/abs/2202.00449
    """
    checks.number_or_numbers("percentiles", percentiles, 0)
    shares = np.atleast_1d(percentiles) / 100
    if shares.size == 0 or shares.max() > 1:
        raise ValueError(
            f"`percentiles` must be numbers from 0 to 100; received {percentiles!r}."
        )
    counts = np.rint(shares * batch.pixels).astype("int64")
    curves = scores_along(batch, ["lerf", "morf"], counts, baseline)
    return np.mean(curves[:, 0] - curves[:, 1], axis=1) / 2


@dataclass(frozen=True)
class Curves:
    """The scores of inputs of which more and more pixels are removed or inserted.

    Attributes:
        fractions: Fractions of the pixels, from 0 to 1, (S + 1,).
        scores: Scores (N, S + 1, K).
    """

    fractions: Floats
    scores: Floats

    @property
    def area(self) -> Floats:
        """The area under each curve (N, K)."""
        return area_under(self.scores, self.fractions)


def perturbation_curves(
    model: Model,
    x: Any,
    maps: Any,
    y: Any = None,
    *,
    order: str = "morf",
    steps: int = 100,
    baseline: Any = 0.0,
    **options: Any,
) -> Curves:
    """Return the curves of which ``deletion`` and its relatives are areas.

    Args:
        model: Keras model, as for ``deletion``.
        x: Inputs, as for ``deletion``, of one size.
        maps: Maps (N, H, W, K).
        y: Units, as for ``deletion``.
        order: "morf" removes the largest (most relevant) pixels first, "lerf" the
            smallest; "insertion" puts the largest pixels into the baseline first.
        steps: As for ``deletion``.
        baseline: As for ``deletion``.
        **options: The other parameters of ``deletion``.

    Returns:
        ``Curves``, with the scores (N, S + 1, K) and the fractions of pixels (S + 1,).

    Raises:
        TypeError: As for ``deletion``.
        ValueError: As for ``deletion``, or if the order is unknown.
    """
    checks.one_of("order", order, ORDERS)
    scores = _curve(
        model, x, maps, y, order=order, steps=steps, baseline=baseline, **options
    )
    pixels = int(np.prod(np.shape(maps)[1:-1]))
    return Curves(counts_of(pixels, steps) / pixels, scores)


@perturbing_metric(logits=False)
def _curve(batch: MapBatch, *, order: str, steps: int, baseline: Any) -> Floats:
    curves, _ = curves_of(batch, [order], steps, baseline)
    return curves[:, 0]
