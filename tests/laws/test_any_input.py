"""Any input gives finite maps of the promised shape, or an error that says why."""

import re
import warnings
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers

import keras_explainable as ke
from keras_explainable.methods import cams, gradient, meta, perturbation

SHAPE = (4, 5, 2)


def _network():
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(3, 2, activation="tanh", name="conv")(inputs)
    outputs = layers.Dense(3, activation="softmax")(layers.Flatten()(x))
    return keras.Model(inputs, outputs)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return _network()


GOOD = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype("float32")

#: Values that users pass by mistake for a number or an option.
WRONG = [0, -1, 1.5, 2.0, True, "3", "", None, float("nan"), float("inf"), 1e30, 2, 3]
WRONG += [[], [1], (1, 2), (2, 1), {}, {"a": 1}, object(), 1j, b"x", np.float32(2)]
WRONG += [np.int64(2), np.array(2), np.array([1, 2]), np.array([0.1, 0.2]), 2**70]

anything = st.sampled_from(WRONG)

_VALUES = [0.0, 1.0, -3.5, 1e38, -1e38, 1e-38, np.nan, np.inf, 255.0]
_DTYPES = ["float16", "float32", "float64", "int8", "int64", "uint8", "bool"]
_DTYPES += ["complex64", "object", "U3", "datetime64[s]"]


@st.composite
def arrays(draw):
    """Draw arrays of fitting and other shapes, of any dtype, with extreme values."""
    count = draw(st.sampled_from([2, 1, 0]))
    shape = draw(st.sampled_from([SHAPE, SHAPE, SHAPE, (4, 5), (5, 4, 2), (), (2,)]))
    x = np.resize(GOOD, (count, *shape)).astype("float64")
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if draw(st.booleans()):
            x[...] = draw(st.sampled_from(_VALUES))
        return x.astype(draw(st.sampled_from(["float32", *_DTYPES])))


inputs = st.one_of(
    arrays(),
    anything,
    arrays().map(lambda x: x.tolist()),
    st.just([GOOD[0], GOOD[1]]),
    st.just([GOOD[0], GOOD[1][:3]]),
    st.just(iter([])),
)

targets = st.one_of(
    anything,
    st.sampled_from(
        ["predicted", "top2", "top9", "top0", "best", [0, 2], [[0, 1]] * 2]
    ),
    st.sampled_from(
        [[0, 3], [-1, 0], [0.0, 1.0], [True, False], ["a", "b"], [[0], []]]
    ),
    st.sampled_from([lambda o: o[:, 0], lambda o: o, lambda o: None, lambda: 1]),
)

OPTIONS = {
    "batch_size": [1, 2],
    "steps": [1, 2],
    "verbose": [0],
    "resizing": [True, (3, 3)],
    "ids": [[0, 7]],
    "postprocessing": [ke.filters.normalize, lambda maps: maps],
    "precision": ["float32"],
    "callbacks": [[], [keras.callbacks.Callback()]],
    "lower": [False],
    "logits": [False],
    "return_stats": [False],
}

SMOOTH = {
    "repetitions": [1, 2],
    "noise": [0.1, [0.1, 0.2]],
    "noise_level": [0.1],
    "seed": [0, 5],
    "statistic": ["square", "variance"],
    "tolerance": [0.5],
    "start": [2],
    "clip": [(-1, 1)],
    "preprocess": [lambda x: x / 2],
    "antithetic": [True],
}

#: Methods, and valid values of the parameters that are tested with wrong ones.
METHODS = {
    "gradients": (lambda: gradient.gradients, {}),
    "smooth": (partial(meta.smooth, gradient.gradients), SMOOTH),
    "integrated": (
        lambda: gradient.integrated_gradients,
        {"n_steps": [3], "baseline": [0.5, "blur"], "rule": ["middle"]},
    ),
    "expected": (
        lambda: partial(gradient.expected_gradients, data=GOOD, repetitions=2),
        {"data": [GOOD], "repetitions": [2], "seed": [0], "tolerance": [0.1]},
    ),
    "gradcam": (lambda: cams.gradcam, {"layer": ["conv"]}),
    "occlusion": (
        lambda: perturbation.occlusion,
        {"size": [2, (2, 3)], "stride": [1], "fill": [0.5]},
    ),
    "rise": (
        lambda: partial(perturbation.rise, repetitions=2),
        {"cells": [2], "probability": [0.5], "seed": [0], "repetitions": [2]},
    ),
    "tta": (
        partial(meta.tta, gradient.gradients, scales=()),
        {"scales": [()], "hflip": [True]},
    ),
    "noise_grad": (
        partial(meta.noise_grad, gradient.gradients, repetitions=2),
        {"repetitions": [1], "noise_level": [0.1], "seed": [0]},
    ),
}

#: Factories of methods, which take the parameters themselves.
FACTORIES = ("smooth", "tta", "noise_grad")

quick = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def explained(name, model, x, y, own, options):
    create, _ = METHODS[name]
    is_factory = name in FACTORIES
    return ke.explain(
        create(**own) if is_factory else create(),
        model,
        x,
        y,
        **({} if is_factory else own),
        **{"verbose": 0, **options},
    )


def assert_clear(message):
    """Assert that a message names a parameter and says what was received."""
    assert re.search(r"`\w+(=.*)?`", message), message
    assert re.search("received|but|returned|;", message), message


def check(name, model, x, y, own, options):
    """Assert maps, with a warning if they are zero, or a clear error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            logits, maps = explained(name, model, x, y, own, options)
        except (TypeError, ValueError) as error:
            assert_clear(str(error))
            return
    assert logits.ndim == 2
    assert maps.ndim == 4
    assert (len(maps), maps.shape[-1]) == logits.shape
    assert np.isfinite(maps).all()
    if not maps.any(axis=(1, 2)).all():
        assert any("zero everywhere" in str(warning.message) for warning in caught)


@pytest.mark.parametrize("name", ["gradients", "smooth", "occlusion"])
def test_any_input(name, model):
    few = {"repetitions": 2, "seed": 0} if name == "smooth" else {}

    @quick
    @given(inputs)
    def run(x):
        check(name, model, x, None, few, {})

    run()


@pytest.mark.parametrize("name", ["gradients", "gradcam"])
def test_any_target(name, model):
    @quick
    @given(targets)
    def run(y):
        check(name, model, GOOD, y, {}, {})

    run()


def parameters(known):
    """Return a strategy for one or two parameters, valid or not."""
    pairs = [
        st.tuples(st.just(name), st.one_of(anything, st.sampled_from(right)))
        for name, right in known.items()
    ]
    return st.lists(st.one_of(pairs), min_size=1, max_size=2).map(dict)


def test_any_option(model):
    @quick
    @given(parameters(OPTIONS))
    def run(options):
        check("gradients", model, GOOD, [0, 1], {}, options)

    run()


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name][1]])
def test_any_parameter(name, model):
    @quick
    @given(parameters(METHODS[name][1]))
    def run(own):
        few = {"repetitions": 2} if name == "smooth" else {}
        check(name, model, GOOD, [0, 1], few | own, {})

    run()
