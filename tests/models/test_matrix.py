"""Kinds of models times methods: maps of the promised shape, or a clear refusal."""

import keras
import numpy as np
import pytest
from kinds import KINDS
from small_models import numpy

import keras_explainable as ke
from keras_explainable.methods.gradient.plain import SIGNED_GRADIENTS

METHODS = {
    "smoothgrad": {"repetitions": 2},
    "gradcam": {},
    "full_gradients": {},
    "occlusion": {},
    "rise": {"repetitions": 2, "seed": 0},
}
ALL = tuple(METHODS)

#: What is refused, and what the message says of it; all else is explained.
REFUSED = {
    "two_inputs": (ALL, "`model` must have one input"),
    "channels_first": (ALL, "`model` must have the channels on its last axis"),
    "quantized": (ALL, "`model` must not be quantized"),
    "segmentation": (ALL, "`y` be a function of its outputs"),
    "subclassed": (("gradcam", "full_gradients"), "Functional or Sequential"),
    "table": (("gradcam", "full_gradients"), "spatial"),
    "tokens": (("smoothgrad", "gradcam", "full_gradients"), "real numbers|spatial"),
}

pytestmark = pytest.mark.filterwarnings(
    "ignore:Layer .* does not have a `quantize`"  # Of Keras, which goes on.
)


@pytest.fixture(scope="module")
def built():
    """Each kind is built once."""
    made = {}

    def build(kind):
        if kind not in made:
            keras.utils.set_random_seed(0)
            made[kind] = KINDS[kind]()
        return made[kind]

    return build


def shape_of_maps(x):
    return (len(x), *(x.shape[1:-1] or x.shape[1:]), 1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_model_is_explained_or_refused(built, kind, method):
    model, x = built(kind)
    shortcut, options = getattr(ke, method), METHODS[method]
    methods, message = REFUSED.get(kind, ((), ""))
    if method in methods:
        with pytest.raises(ValueError, match=message):
            shortcut(model, x, [0, 0, 0], verbose=0, **options)
        return
    logits, maps = shortcut(model, x, [0, 0, 0], verbose=0, **options)
    assert logits.shape == (3, 1)
    assert maps.shape == shape_of_maps(x)
    assert np.isfinite(maps).all()


@pytest.mark.parametrize(
    "kind", sorted({*KINDS} - {*REFUSED} | {"subclassed", "table"})
)
def test_derivatives_are_those_of_the_model(built, kind):
    """Along one direction, by differences; the dtype says how exactly."""
    model, x = built(kind)
    x = x.astype("float32")
    target = ke.inspection.logits_model(model)
    _, maps = ke.explain(
        SIGNED_GRADIENTS, model, x, [1 % _units(target)] * 3, verbose=0
    )
    rng = np.random.default_rng(1)
    way = rng.normal(size=x.shape).astype("float32")
    step = {"mixed_float16": 0.1, "mixed_bfloat16": 0.3}.get(kind, 1e-2)
    step *= np.ptp(x) / 6
    up, down = (_outputs(target, x + sign * step * way) for sign in (1, -1))
    found = (maps[..., 0] * way).reshape(3, -1).sum(axis=1)
    expected = (up - down) / (2 * step)
    allowed = {"mixed_float16": 0.1, "mixed_bfloat16": 0.3}.get(kind, 0.05)
    np.testing.assert_allclose(found, expected, atol=allowed * np.abs(found).max())


def _units(model):
    outputs = getattr(model, "outputs", None)
    return keras.tree.flatten(outputs)[0].shape[-1] if outputs else 4


def _outputs(model, x):
    outputs = keras.tree.flatten(model(x, training=False))[0]
    return numpy(keras.ops.cast(outputs, "float32"))[:, 1 % outputs.shape[-1]]
