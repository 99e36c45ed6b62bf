"""Write SmoothGrad maps made with NumPy's noise, the same on every backend.

python equal_noise_maps.py REALDATA REPETITIONS FOLDER NETWORK:DTYPE...
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


def maps_of(realdata, network, dtype, repetitions):
    """Return the maps of the classes that a network predicts for two photos."""
    import build_model
    import keras

    import keras_explainable as ke

    keras.config.set_floatx(dtype)
    rgb = [
        build_model.load_rgb(Path(realdata, "photos", name), network) for name in PHOTOS
    ]
    x = build_model.preprocess(np.stack(rgb), network)
    model = build_model.build(network)
    return ke.smoothgrad(
        model,
        x,
        model.predict(x, verbose=0).argmax(axis=1),
        repetitions=repetitions,
        noise_level=0.1,
        batch_size=8,
        estimator="sampled",
        postprocessing=None,
        verbose=0,
    )[1]


def main(realdata, repetitions, folder, *cases):
    from keras_explainable.sampling import noise

    sys.path.insert(0, realdata)
    noise.noisy_copies = numpy_copies
    for case in cases:
        network, dtype = case.split(":")
        maps = maps_of(realdata, network, dtype, int(repetitions))
        np.save(Path(folder, f"{network}_{dtype}.npy"), maps)


if __name__ == "__main__":
    main(*sys.argv[1:])
