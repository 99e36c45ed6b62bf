"""Ways to draw the noise of n repetitions that might reduce the variance.

`sampling_error.py` compares them with independent noise:

- orthogonal: the noise vectors are orthogonal to each other, and keep the lengths that
  independent ones have;
- stratified: along the clean gradient, each of n equally probable strata of the normal
  distribution has one noise vector;
- control: the noise is independent and serves as a control variate. The map is the mean
  of `map - c * noise`, with one c per channel, fitted to all pixels and repetitions.
"""

from statistics import NormalDist

import numpy as np

import keras_explainable as ke
from benchmarks.accuracy.trained_networks import signed_and_absolute_gradients

TECHNIQUES = ("orthogonal", "stratified", "control")


def mean_gradients(technique, model, x, unit, level, n, seed):
    """Return the map (H, W, 4) of one photo (H, W, 3) from n noisy copies."""
    rng = np.random.default_rng([seed, n])
    noise = rng.standard_normal((n, *x.shape), dtype="float32")
    if technique == "orthogonal":
        noise = orthogonal(noise, rng)
    if technique == "stratified":
        clean = gradients(model, x[None], unit)[0, ..., :3]
        noise = stratified(noise, clean / np.linalg.norm(clean), rng)
    maps = gradients(model, x + level * np.ptp(x) * noise, unit)
    if technique == "control":
        maps = without_linear_part(maps, noise)
    return maps.mean(axis=0)


def gradients(model, x, unit):
    method, units = signed_and_absolute_gradients, [unit] * len(x)
    return ke.explain(method, model, x, units, verbose=0)[1][..., 0]


def orthogonal(noise, rng):
    flat = noise.reshape(len(noise), -1)
    lengths = np.sqrt(rng.chisquare(flat.shape[1], size=(len(noise), 1)))
    return (np.linalg.qr(flat.T)[0].T * lengths).reshape(noise.shape).astype("float32")


def stratified(noise, direction, rng):
    """Return the noise, with one vector for each stratum along the direction."""
    n = len(noise)
    wanted = [NormalDist().inv_cdf(p) for p in (np.arange(n) + rng.random(n)) / n]
    drawn = np.tensordot(noise, direction, axes=3)
    return noise + np.multiply.outer(wanted - drawn, direction).astype("float32")


def without_linear_part(maps, noise):
    """Return the maps minus what is linear in the noise of the same pixel."""
    controls = np.concatenate([noise, noise.mean(axis=-1, keepdims=True)], axis=-1)
    return maps - _coefficients(maps, controls) * controls


def _coefficients(maps, controls):
    """Return the least-squares coefficient of each channel, shape (4,)."""
    product = (maps * controls).sum(axis=(0, 1, 2))
    return product / (controls**2).sum(axis=(0, 1, 2))
