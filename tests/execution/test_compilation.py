"""A function is compiled once per model and shape, and freed with the model."""

import gc
import weakref
from functools import partial

import keras
import numpy as np
import pytest
from keras import ops
from support.small_models import images, linear, numpy, some_units

from keras_explainable.execution import compilation
from keras_explainable.execution.compilation import (
    accepts_parameter,
    call_method,
    compiled,
    display_name,
)
from keras_explainable.methods.gradient import gradients
from keras_explainable.network.output_units import with_outputs

TRACED = keras.backend.backend() != "torch"


def counting():
    shapes = []

    def method(model, inputs, indices=None, *, scale=1.0):
        shapes.append(tuple(inputs.shape))
        return indices, scale * model(inputs, training=False)

    return method, shapes


def test_compiled_once_per_shape():
    method, shapes = counting()
    model = linear()
    for count in (4, 4, 2, 4, 2):
        call_method(method, model, images(count), some_units(count), {})
    assert len(shapes) == (2 if TRACED else 5)


def test_equal_partials_share_one_compilation():
    method, shapes = counting()
    model = linear()
    for _ in range(3):
        call_method(partial(method, scale=2.0), model, images(), some_units(), {})
        call_method(method, model, images(), some_units(), {"scale": 2.0})
    assert len(shapes) <= (2 if TRACED else 6)


def test_different_parameters_are_compiled_separately():
    method, _ = counting()
    model = linear()
    one, two = (
        numpy(call_method(method, model, images(), some_units(), {"scale": scale})[1])
        for scale in (1.0, 2.0)
    )
    np.testing.assert_allclose(two, 2 * one, rtol=1e-6)


def test_arrays_as_parameters():
    def method(model, inputs, indices=None, *, baseline):
        return indices, inputs - ops.convert_to_tensor(baseline)

    model, x = linear(), images()
    for baseline in (x * 0, x * 1):
        _, maps = call_method(method, model, x, some_units(), {"baseline": baseline})
        np.testing.assert_allclose(numpy(maps), x - baseline, rtol=1e-6)


def test_changed_weights_are_seen():
    model, x, units = linear(), images(), some_units()
    before = numpy(call_method(gradients, model, x, units, {})[1])
    model.set_weights([2 * weight for weight in model.get_weights()])
    after = numpy(call_method(gradients, model, x, units, {})[1])
    np.testing.assert_allclose(after, 2 * before, rtol=1e-5)


def test_a_model_can_be_freed_after_compilation():
    model = linear()
    call_method(gradients, model, images(), some_units(), {})
    reference = weakref.ref(model)
    del model
    keras.utils.clear_session(free_memory=False)
    gc.collect()
    assert reference() is None


def test_the_number_of_cached_compilations_is_limited():
    model = linear()
    for scale in range(3 * compilation._cache.capacity):
        compiled(partial(gradients, gradient_filter=lambda g, s=scale: g * s), model)
    assert compilation._cache.count(model) == compilation._cache.capacity


@pytest.mark.skipif(not TRACED, reason="torch does not trace")
def test_an_untraceable_method_runs_eagerly_with_a_warning():
    def method(model, inputs, indices=None):
        return indices, np.asarray(inputs) + 1

    model, x = linear(), images()
    with pytest.warns(
        UserWarning, match="'method' cannot be compiled and runs eagerly"
    ):
        _, maps = call_method(method, model, x, some_units(), {})
    np.testing.assert_allclose(maps, x + 1)
    call_method(method, model, x, some_units(), {})  # No second warning.


def test_an_error_in_the_method_reaches_the_user():
    def broken(model, inputs, indices=None):
        raise KeyError("my own bug")

    with pytest.raises(KeyError, match="my own bug"):
        call_method(broken, linear(), images(), some_units(), {})


@pytest.mark.parametrize("result", [None, 1, (1, 2, 3)])
def test_a_method_must_return_a_pair(result):
    def method(model, inputs, indices=None, rows=1):
        return result

    with pytest.raises(TypeError, match=r"must return \(logits, maps\); 'method'"):
        call_method(method, linear(), images(), some_units(), {})


def test_display_names_and_parameters_of_any_callable():
    class Method:
        def __call__(self, model, inputs, rows=1): ...

    assert display_name(partial(partial(gradients), indices=None)) == "gradients"
    assert display_name(Method()) == "Method"
    assert display_name(with_outputs(partial(gradients))) == "gradients"
    assert accepts_parameter(Method(), "rows")
    assert not accepts_parameter(gradients, "rows")
    assert not accepts_parameter(dict, "rows")


def test_equal_methods_with_outputs_share_one_compilation():
    model = linear()
    first, again = (
        compiled(with_outputs(partial(gradients, channel_reduction=None)), model)
        for _ in range(2)
    )
    assert first is again
