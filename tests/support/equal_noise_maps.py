"""Write SmoothGrad maps made with NumPy's noise, the same on every backend.

python equal_noise_maps.py REALDATA NETWORK DTYPE REPETITIONS OUT.npy
"""

import sys
from pathlib import Path

import numpy as np

PHOTOS = ("web_dalmatian.jpg", "val_00000009_mousetrap.jpg")


def numpy_copies(inputs, sigma, keys, image, **_):
    """Stand in for `noise.noisy_copies`: also a pure function of the keys."""
    inputs = np.asarray(inputs)
    rows = [
        inputs[i] + sigma[i] * np.random.default_rng(key).normal(size=inputs.shape[1:])
        for i, key in zip(image, keys.tolist(), strict=True)
    ]
    return np.stack(rows).astype(inputs.dtype)


def main(realdata, network, dtype, repetitions, out):
    sys.path.insert(0, realdata)
    import build_model
    import keras

    import keras_explainable as ke
    from keras_explainable.sampling import noise

    keras.config.set_floatx(dtype)
    noise.noisy_copies = numpy_copies
    photos = [Path(realdata, "photos", name) for name in PHOTOS]
    rgb = np.stack([build_model.load_rgb(photo, network) for photo in photos])
    x, model = build_model.preprocess(rgb, network), build_model.build(network)
    units = model.predict(x, verbose=0).argmax(axis=1)
    _, maps = ke.smoothgrad(
        model,
        x,
        units,
        repetitions=int(repetitions),
        noise_level=0.1,
        batch_size=8,
        postprocessing=None,
        verbose=0,
    )
    np.save(out, maps)


if __name__ == "__main__":
    main(*sys.argv[1:])
