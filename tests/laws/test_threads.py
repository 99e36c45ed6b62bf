"""Several threads at once get the results of a single one."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from threading import Barrier

import keras
import numpy as np
import pytest
from support.side_effects import facts, global_state
from support.small_models import network

import keras_explainable as ke
from keras_explainable.methods import gradient, meta

THREADS = 4


def _with_stats(model, x, y, verbose):
    method = meta.smooth(gradient.gradients, 4, noise_level=0.1, seed=0)
    logits, maps, stats = ke.explain(
        method, model, x, y, return_stats=True, verbose=verbose
    )
    return logits, maps, stats.flips, stats.drifts


CASES = {
    "smoothgrad": partial(ke.smoothgrad, repetitions=4),
    "gradcam": ke.gradcam,
    "full_gradients": ke.full_gradients,
    "noise_grad": partial(ke.explain, meta.noise_grad(gradient.gradients, 6, seed=0)),
    "fusion_grad": partial(
        ke.explain,
        meta.noise_grad(
            meta.smooth(gradient.gradients, 2, noise=0.1, seed=0), 3, seed=0
        ),
    ),
    "with stats": _with_stats,
}


def build(seed):
    keras.utils.set_random_seed(seed)
    return network("softmax")


def inputs(number):
    x = np.random.default_rng(number).normal(size=(2, 12, 12, 3)).astype("float32")
    return x, np.array([number % 5, (number + 2) % 5])


def at_once(call, count=THREADS):
    """Return ``call(number)`` of ``count`` threads, which start together."""
    start = Barrier(count)

    def run(number):
        start.wait()
        return [call(number) for _ in range(2)]

    with ThreadPoolExecutor(count) as pool:
        return [*pool.map(run, range(count))]


def assert_same(found, expected):
    for turns, known in zip(found, expected, strict=True):
        for results in turns:
            for one, other in zip(results, known, strict=True):
                np.testing.assert_allclose(one, other, atol=2e-5)


@cache
def expected(case):
    """Return the results of a single thread, for the inputs of each thread."""
    model = build(0)
    return [CASES[case](model, *inputs(n), verbose=0) for n in range(THREADS)]


@pytest.mark.parametrize("case", CASES)
def test_one_model(case):
    """The first calls, when nothing is compiled, run at once, too."""
    known, model = expected(case), build(0)
    before = facts(model), global_state()
    found = at_once(lambda n: CASES[case](model, *inputs(n), verbose=0))
    assert_same(found, known)
    assert (facts(model), global_state()) == before


def test_different_methods_on_one_model():
    model, several = build(0), [*CASES.values()]
    found = at_once(lambda n: several[n](model, *inputs(1), verbose=0), len(several))
    assert_same(found, [expected(case)[1] for case in CASES])


def test_a_model_for_each_thread():
    models, case = [build(seed) for seed in range(2)], CASES["noise_grad"]
    found = at_once(lambda n: case(models[n], *inputs(n), verbose=0), len(models))
    again = [case(model, *inputs(n), verbose=0) for n, model in enumerate(models)]
    assert_same(found, again)
