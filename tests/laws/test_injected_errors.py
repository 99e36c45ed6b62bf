"""An error at any line of the package leaves nothing broken or incomplete."""

import contextlib
import warnings
from functools import partial

import keras
import numpy as np
import pytest
from support.injected_errors import raising
from support.out_of_memory import refused
from support.side_effects import facts, global_state
from support.small_models import network

import keras_explainable as ke
from keras_explainable.methods import cams, gradient, meta

X = np.random.default_rng(0).normal(size=(2, 12, 12, 3)).astype("float32")
Y = [1, 3]


def _logits(model, x, y, verbose):
    logits = keras.ops.convert_to_numpy(ke.inspection.logits_model(model)(x))
    return logits, logits


def _smooth_stats(model, x, y, verbose):
    method = meta.smooth(gradient.gradients, 2, noise_level=0.1, seed=0)
    logits, maps, _ = ke.explain(method, model, x, y, return_stats=True, verbose=0)
    return logits, maps


CASES = {
    "smoothgrad": partial(ke.smoothgrad, repetitions=2),
    "smooth with stats": _smooth_stats,
    "gradcam": ke.gradcam,
    "scorecam": partial(ke.explain, cams.scorecam),
    "full_gradients": ke.full_gradients,
    "integrated_gradients": partial(ke.integrated_gradients, n_steps=4),
    "noise_grad": partial(ke.explain, meta.noise_grad(gradient.gradients, 2, seed=0)),
    "guided_gradients": ke.guided_gradients,
    "tta": partial(ke.explain, meta.tta(gradient.gradients, (0.5,))),
    "logits_model": _logits,
}
#: Numbers of later and of first calls to interrupt.
LATER, FIRST = 8, 12

ERRORS = (RuntimeError("injected"), KeyboardInterrupt(), refused()[1])


def build():
    keras.utils.set_random_seed(0)
    model = network("softmax")
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def interrupted(case, model, number, error):
    """Return where the call was interrupted, and its result if it was not."""
    result = None
    with raising(number, error) as lines, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The device is out of memory")
        # An error that NumPy raises while reading `x` becomes a TypeError.
        with contextlib.suppress(type(error), TypeError):
            result = case(model, X, Y, verbose=0)
    return lines, result


def check(case, model, before, expected, place):
    now = facts(model), global_state()
    assert now == before, place
    for found, known in zip(case(model, X, Y, verbose=0), expected, strict=True):
        np.testing.assert_allclose(found, known, atol=2e-5, err_msg=place)


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def some_lines(lines, count):
    """Return numbers of lines to raise at, each place in the code equally likely."""
    numbers = [*lines.places.values()]
    rng = np.random.default_rng(0)
    return sorted(rng.choice(numbers, min(count, len(numbers)), replace=False))


def test_errors_in_later_calls(case):
    """When all is compiled, each call is interrupted further on."""
    model = build()
    expected = case(model, X, Y, verbose=0)
    before = facts(model), global_state()
    lines, _ = interrupted(case, model, None, RuntimeError())
    for turn, number in enumerate(some_lines(lines, LATER)):
        lines, result = interrupted(case, model, number, ERRORS[turn % 3])
        check(case, model, before, expected, lines.place)
        if result is not None:
            np.testing.assert_allclose(result[1], expected[1], atol=2e-5)


def test_errors_in_the_first_calls(case):
    """When nothing is compiled, incomplete values must not be cached."""
    expected = case(build(), X, Y, verbose=0)
    lines, _ = interrupted(case, build(), None, RuntimeError())
    model = build()
    before = facts(model), global_state()
    for turn, number in enumerate(some_lines(lines, FIRST)):
        lines, _ = interrupted(case, model, number, ERRORS[turn % 2])
        assert (facts(model), global_state()) == before, lines.place
    check(case, model, before, expected, lines.place)
