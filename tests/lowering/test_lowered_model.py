"""A copy is made once, freed with its model, never stale, and changes nothing."""

import gc
import weakref

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.model_equality import SIGNED, assert_equal_outputs, batch, distances
from support.small_models import network, numpy

import keras_explainable as ke
from keras_explainable.lowering import lower
from keras_explainable.lowering.lowered_model import LoweredModel
from keras_explainable.network import output_units

BACKEND = keras.backend.backend()


@pytest.fixture
def model():
    return network("softmax")


@pytest.fixture
def x(model):
    return ops.convert_to_tensor(batch(model))


def assert_explained_alike(model, x):
    """Explain with a lowered copy and without one, using all caches."""
    found, expected = (
        ke.explain(SIGNED, model, numpy(x), [0, 1, 2], lower=lowers, verbose=0)
        for lowers in (True, False)
    )
    for one, other in zip(found, expected, strict=True):
        assert distances(one, other).max() < 1e-4
    return expected


def test_a_copy_is_made_once_for_each_precision(model):
    exact, half = lower(model), lower(model, "bfloat16")
    assert isinstance(exact, LoweredModel)
    assert exact is not half
    assert lower(model) is exact
    assert lower(model, "bfloat16") is half
    assert lower(network()) is not exact


def test_a_copy_does_not_keep_the_model_alive():
    model = network("softmax")
    x = batch(model)
    ke.explain(SIGNED, model, x, [0, 1, 2], verbose=0)
    lowered = lower(model)
    kept = [weakref.ref(each) for each in (model, lowered, *model.layers)]
    del model, lowered
    for _ in range(3):  # Objects that the model refers to are freed after it.
        gc.collect()
    assert [reference() for reference in kept] == [None] * len(kept)


def test_a_copy_works_after_the_model_is_freed():
    model = network()
    x = ops.convert_to_tensor(batch(model))
    lowered, expected = lower(model), numpy(output_units.forward(model, x, 3))
    del model
    gc.collect()
    assert distances(numpy(output_units.forward(lowered, x, 3)), expected).max() < 1e-4


def assigned(model):
    kernel = model.layers[1].kernel
    kernel.assign(2 * numpy(kernel))


def statistics(model):
    variance = model.layers[2].moving_variance
    variance.assign(3 + numpy(variance))


def one_number(model):
    bias = model.layers[5].bias
    bias.assign(numpy(bias) + np.eye(8)[2])


def head(model):
    model.layers[-1].kernel.assign(-numpy(model.layers[-1].kernel))


def all_weights(model):
    model.set_weights([weight * 1.5 for weight in model.get_weights()])


def trained(model):
    if not model.compiled:
        model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(batch(model, 8), np.arange(8) % 5, verbose=0)


CHANGES = [assigned, statistics, one_number, head, all_weights, trained]


@pytest.mark.parametrize("change", CHANGES)
def test_changed_weights_are_noticed(model, x, change):
    lowered, seen = lower(model), []
    for _ in range(2):
        change(model)
        assert lower(model) is lowered
        assert_equal_outputs(lowered, model, x, tolerance=1e-4)
        seen.append(numpy(output_units.forward(model, x, 3)))
    assert distances(*seen).max() > 1e-4


def test_explain_is_never_stale(model, x):
    before = assert_explained_alike(model, x)
    for change in CHANGES:
        change(model)
        after = assert_explained_alike(model, x)
        assert distances(after[0], before[0]).max() > 1e-4
        before = after


@pytest.mark.skipif(BACKEND != "torch", reason="only torch edits in place")
def test_weights_edited_in_place_are_noticed(model, x):
    assert_explained_alike(model, x)
    model.layers[1].kernel.value.data[0, 0, 0, 0] += 1.0
    assert_explained_alike(model, x)


def test_lora_that_is_enabled_later_is_noticed(model, x):
    assert_explained_alike(model, x)
    before = numpy(output_units.forward(lower(ke.inspection.logits_model(model)), x, 3))
    head = model.get_layer("logits")
    head.enable_lora(2)
    head.lora_kernel_b.assign(np.ones(head.lora_kernel_b.shape))
    assert_explained_alike(model, x)
    after = numpy(output_units.forward(lower(ke.inspection.logits_model(model)), x, 3))
    assert distances(before[..., None], after[..., None]).max() > 1e-3


@pytest.mark.parametrize("end", ["softmax", None])
def test_a_changed_activation_is_noticed(end, x):
    """One of the activations is between layers that were folded."""
    model = network(end)
    assert_explained_alike(model, x)
    model.layers[1].activation = keras.activations.tanh
    model.layers[5].activation = keras.activations.softplus
    explained = ke.inspection.logits_model(model)
    fresh = keras.models.clone_model(network())
    fresh.set_weights(model.get_weights())
    fresh.layers[1].activation = keras.activations.tanh
    fresh.layers[5].activation = keras.activations.softplus
    found = output_units.forward(lower(explained), x, 3)
    expected = output_units.forward(fresh, x, 3)
    assert distances(numpy(found), numpy(expected)).max() < 1e-4


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.body = network()

    def call(self, inputs):
        return self.body(inputs)


def test_subclassed_models_are_returned_unchanged(x):
    model = Subclassed()
    model(x)
    assert lower(model) is model
    assert_explained_alike(model, x)


@pytest.mark.parametrize("precision", ["float16", "double", None, 32])
def test_unknown_precisions_are_rejected(model, precision):
    with pytest.raises(ValueError, match="`precision` must be one of"):
        lower(model, precision)
    with pytest.raises(ValueError, match="`precision` must be one of"):
        ke.explain(SIGNED, model, batch(model), precision=precision)


def test_another_precision_needs_a_copy(model):
    with pytest.raises(ValueError, match="`lower` must be True if `precision`"):
        ke.explain(SIGNED, model, batch(model), lower=False, precision="bfloat16")


def facts(model):
    """Return all that lowering could change, and the values of the weights."""
    found = []
    for layer in [model, *model._flatten_layers(include_self=False)]:
        nodes = [len(layer._inbound_nodes), len(layer._outbound_nodes)]
        ids = {key: id(value) for key, value in vars(layer).items()}
        found.append([layer.name, layer.trainable, layer.dtype_policy.name, nodes, ids])
    variables = [(id(v), v.path, v.trainable, v.dtype) for v in model.variables]
    weights = [weight.tobytes() for weight in model.get_weights()]
    return found, variables, weights, model.get_config(), model.count_params()


def test_the_model_is_unchanged(model):
    inputs = keras.Input((12, 12, 3))
    nested = keras.Model(inputs, layers.Softmax()(model(layers.Rescaling(2.0)(inputs))))
    nested.compile("sgd", "sparse_categorical_crossentropy")
    x = ops.convert_to_tensor(batch(nested))
    expected = numpy(output_units.forward(nested, x, 3))
    before = facts(nested)
    for precision in ("float32", "bfloat16"):
        output_units.forward(lower(nested, precision), x, 3)
        ke.explain(SIGNED, nested, numpy(x), [0, 1, 2], precision=precision, verbose=0)
    statistics(model)
    lower(nested)
    model.layers[2].moving_variance.assign(numpy(model.layers[2].moving_variance) - 3)
    assert facts(nested)[0] == before[0]
    assert facts(nested)[1] == before[1]
    assert facts(nested)[3:] == before[3:]
    np.testing.assert_allclose(
        numpy(output_units.forward(nested, x, 3)), expected, rtol=1e-5
    )


def test_the_weights_are_unchanged(model, x):
    before = facts(model)
    lowered = lower(model, "bfloat16")
    output_units.forward(lowered, x, 3)
    lowered.refresh()
    assert facts(model) == before


def test_the_model_trains_as_before():
    """Lowering, also in half precision, does not change a training step."""
    after = []
    for lowers in (False, True):
        keras.utils.set_random_seed(0)
        model = network("softmax")
        if lowers:
            lower(model), lower(model, "bfloat16")
        trained(model)
        after.append(model.get_weights())
    for one, other in zip(*after, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
