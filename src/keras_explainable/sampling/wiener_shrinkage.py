"""Maps with less error than the mean of a sample, by Wiener shrinkage (Wiener, 1949).

Two independent halves of a sample separate signal from noise: what they share is
signal. Most of the noise of signed gradients is in fine detail, so each band of spatial
frequencies has a shrinkage factor of its own.
"""

import numpy as np

#: Number of bands, rings of spatial frequencies; the last one has all finer ones.
BANDS = 12


def shrink(
    halves: tuple[np.ndarray, np.ndarray], counts: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return shrunken means, and the estimated squared norms of their errors.

        factor = signal / (signal + noise),   for each map and band

    Args:
        halves: Two independent means, each of shape (N, H, W, ..., K).
        counts: Number of repetitions in each mean, shape (N,).

    Returns:
        Maps (N, H, W, ..., K), and squared norms (N, K).
    """
    shape = halves[0].shape
    spectra = [
        np.fft.fft2(half.reshape(*shape[:3], -1, shape[-1]), axes=(1, 2))
        for half in halves
    ]
    weight = (counts[0] / (counts[0] + counts[1]))[:, None]
    mean = spectra[1] + weight[..., None, None, None] * (spectra[0] - spectra[1])
    band, error = _bands(shape[1:3]), np.zeros((shape[0], shape[-1]))
    for number in range(BANDS):
        mask = band == number
        one, other = (spectrum[:, mask] for spectrum in spectra)
        noise = _sum(np.abs(one - other) ** 2) * weight * (1 - weight)
        signal = _sum((one * other.conj()).real)  # Unbiased, so it may be negative.
        factor = np.maximum(signal, 0) / np.maximum(signal + noise, 1e-30)
        mean[:, mask] *= factor[:, None, None]
        error += factor**2 * noise + (1 - factor) ** 2 * signal
    maps = np.fft.ifft2(mean, axes=(1, 2)).real
    error = np.maximum(error, 0) / band.size
    return maps.reshape(shape).astype(halves[0].dtype), error


def _sum(values: np.ndarray) -> np.ndarray:
    """Return the sum (N, K) over frequencies and channels."""
    return values.sum(axis=(1, 2))


def _bands(shape: tuple[int, int]) -> np.ndarray:
    """Return the band of each spatial frequency (H, W), the lowest ones first."""
    height, width = (np.fft.fftfreq(size) for size in shape)
    radius = np.hypot(height[:, None], width)
    return np.minimum((2 * BANDS * radius).astype(int), BANDS - 1)
