"""The same maps as PAIR saliency, tf-keras-vis and Xplique, given the same noise."""

from functools import partial

import numpy as np
import pytest
import saliency.core as saliency
import tensorflow as tf
import tf_keras_vis.gradcam as vis_gradcam
import tf_keras_vis.layercam as vis_layercam
import tf_keras_vis.saliency as vis
import xplique.attributions as xplique
from keras import ops
from support.peer_noise import REPETITIONS, SEED
from tf_keras_vis.utils.scores import CategoricalScore
from xplique.attributions.gradient_statistics import gradient_statistic

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth

SIGNED = partial(gradients, gradient_filter=None, channel_reduction=None)


def ours(method, model, images, units, **options):
    method = smooth(method, REPETITIONS, seed=SEED, **options)
    _, maps = ke.explain(method, model, images, units, verbose=0)
    return maps[..., 0]


def assert_same(found, expected):
    size = np.abs(expected).max()
    assert size > 0
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * size)


@pytest.mark.parametrize("magnitude", [True, False])
def test_pair(model, images, units, noises, drawn, magnitude):
    """PAIR draws for one image at a time; its noise is a share of the range."""
    level = 0.15

    def call(x, call_model_args, expected_keys=None):
        x = tf.convert_to_tensor(x, "float32")
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = model(x)[:, call_model_args]
        return {saliency.INPUT_OUTPUT_GRADIENTS: tape.gradient(score, x).numpy()}

    noise = noises(noise_level=level)
    drawn(np.random, "normal", noise.swapaxes(0, 1).reshape(-1, *images.shape[1:]))
    expected = [
        saliency.GradientSaliency().GetSmoothedMask(
            image, call, unit, level, REPETITIONS, magnitude=magnitude
        )
        for image, unit in zip(images, units, strict=True)
    ]
    statistic = "square" if magnitude else "mean"
    options = {"noise_level": level, "statistic": statistic}
    assert_same(ours(SIGNED, model, images, units, **options), expected)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Keras, of lists of one input.
def test_tf_keras_vis(model, images, units, noises, drawn):
    """The largest of the channels' absolute gradients, after the mean."""
    drawn(np.random, "normal", [noises(noise_level=0.2)])
    expected = vis.Saliency(model, clone=False)(
        CategoricalScore(units.tolist()),
        images,
        smooth_samples=REPETITIONS,
        smooth_noise=0.2,
        normalize_map=False,
    )
    absolute = partial(gradients, channel_reduction=None)
    maps = ours(absolute, model, images, units, noise_level=0.2)
    assert_same(maps.max(axis=-1), expected)


@pytest.mark.parametrize(
    ("name", "statistic"),
    [("SmoothGrad", "mean"), ("SquareGrad", "square"), ("VarGrad", "variance")],
)
def test_xplique(model, images, units, noises, drawn, name, statistic):
    """Signed gradients; the mean over the channels comes last."""
    noisy = (images + noises(noise=0.2)).swapaxes(0, 1)
    drawn(
        gradient_statistic.GradientStatistic,
        "_perturb_samples",
        map(tf.constant, noisy),
    )
    explainer = getattr(xplique, name)(
        model, batch_size=REPETITIONS, nb_samples=REPETITIONS, noise=0.2
    )
    targets = ops.convert_to_numpy(ops.one_hot(units, 5))
    maps = ours(SIGNED, model, images, units, noise=0.2, statistic=statistic)
    assert_same(maps.mean(axis=-1), np.squeeze(explainer(images, targets)))


LAST = {"mobilenet_075": "conv_pw_13_relu", "squeezenet11": "fire9_concat"}


@pytest.mark.filterwarnings("ignore::UserWarning")  # Keras, of lists of one input.
@pytest.mark.parametrize(
    ("name", "peer"),
    [("gradcam", vis_gradcam.Gradcam), ("layercam", vis_layercam.Layercam)],
)
def test_tf_keras_vis_cams(real, name, peer):
    model, x, classes = real
    layer = LAST[model.name]
    expected = peer(model, clone=False)(
        CategoricalScore(classes.tolist()),
        x,
        penultimate_layer=layer,
        seek_penultimate_conv_layer=False,
        activation_modifier=None,
        expand_cam=False,
        normalize_cam=False,
    )
    method = getattr(ke.methods.cams, name)
    options = {"layer": layer, "resizing": None, "lower": False, "verbose": 0}
    _, maps = ke.explain(method, model, x, classes, **options)
    assert_same(maps[..., 0], expected)
