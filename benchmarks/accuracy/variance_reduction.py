"""Other ways to draw the noise of n repetitions, tried against independent copies.

- orthogonal: noises made orthogonal to each other, each with its own length;
- strata: along the clean gradient, noise from n equal parts of the normal law;
- control: independent noise, and less what follows it: `map - c * noise`, with one c
  that fits all pixels and repetitions.
"""

from statistics import NormalDist

import numpy as np
from photos import signed_and_absolute

import keras_explainable as ke

WAYS = ("orthogonal", "strata", "control")


def map_of(way, model, x, unit, level, n, seed):
    """Return the map (H, W, 4) of one photo (H, W, 3) by one way, from n passes."""
    draw = np.random.default_rng([seed, n])
    noise = draw.standard_normal((n, *x.shape), dtype="float32")
    if way == "orthogonal":
        noise = orthogonal(noise, draw)
    if way == "strata":
        clean = gradients(model, x[None], unit)[0, ..., :3]
        noise = stratified(noise, clean / np.linalg.norm(clean), draw)
    maps = gradients(model, x + level * np.ptp(x) * noise, unit)
    if way == "control":
        maps = controlled(maps, noise)
    return maps.mean(axis=0)


def gradients(model, x, unit):
    maps = ke.explain(signed_and_absolute, model, x, [unit] * len(x), verbose=0)[1]
    return maps[..., 0]


def orthogonal(noise, draw):
    flat = noise.reshape(len(noise), -1)
    lengths = np.sqrt(draw.chisquare(flat.shape[1], size=(len(noise), 1)))
    return (np.linalg.qr(flat.T)[0].T * lengths).reshape(noise.shape).astype("float32")


def stratified(noise, direction, draw):
    n = len(noise)
    wanted = [NormalDist().inv_cdf(p) for p in (np.arange(n) + draw.random(n)) / n]
    found = np.tensordot(noise, direction, axes=3)
    return noise + np.multiply.outer(wanted - found, direction).astype("float32")


def controlled(maps, noise):
    """Return maps with the part that is linear in the noise of each pixel taken off."""
    controls = np.concatenate([noise, noise.mean(axis=-1, keepdims=True)], axis=-1)
    return maps - _fit(maps, controls) * controls


def _fit(maps, controls):
    """Return one factor for each channel (4,)."""
    product = (maps * controls).sum(axis=(0, 1, 2))
    return product / (controls**2).sum(axis=(0, 1, 2))
