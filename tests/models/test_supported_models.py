"""Every kind of model with every method: maps of the promised shape or an error."""

from pathlib import Path

import keras
import numpy as np
import pytest
from support.model_kinds import KINDS
from support.small_models import numpy
from support.supported_models import BY_FUNCTION, METHODS, NOTES, REFUSED, table

import keras_explainable as ke
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS

#: Models without finite differences: tokens and masked steps cannot be perturbed, the
#: differences of an untrained MobileNet are about 1e-19, two calls of a network with a
#: state are not of the same function, and maps of permuted inputs have another shape.
NOT_BY_DIFFERENCES = {
    "masked_steps", "masked_tokens", "monte_carlo_dropout", "permuted_in_front",
    "stateful", "tokens", "transfer_learning",
}  # fmt: skip

pytestmark = pytest.mark.filterwarnings(
    "ignore:Layer .* does not have a `quantize`"  # Keras warns and goes on.
)


@pytest.fixture(scope="module")
def built():
    """Return a function that builds each kind of model once."""
    models = {}

    def build(kind):
        if kind not in models:
            keras.utils.set_random_seed(0)
            models[kind] = KINDS[kind]()
        return models[kind]

    return build


def shape_of_maps(x):
    return (len(x), *(x.shape[1:-1] or x.shape[1:]), 1)


def shapes_of_maps(x, method):
    """Return the shape of the maps of each input; for a layer, of the largest input."""
    shapes = keras.tree.map_structure(shape_of_maps, x)
    one_map = method == "gradcam" and keras.tree.is_nested(x)
    if one_map and isinstance(x, dict) and "words" in x:
        return shapes["words"]
    if one_map and len({each.ndim for each in keras.tree.flatten(x)}) > 1:
        return max(map(shape_of_maps, keras.tree.flatten(x)), key=len)
    return shapes


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_model_is_explained_or_rejected(built, kind, method):
    model, x = built(kind)
    shortcut, options = getattr(ke, method), METHODS[method]
    methods, message = REFUSED.get(kind, ((), ""))
    if method in methods:
        with pytest.raises((TypeError, ValueError), match=message):
            shortcut(model, x, [0, 0, 0], verbose=0, **options)
        return
    logits, maps = shortcut(model, x, [0, 0, 0], verbose=0, **options)
    assert logits.shape == (3, 1)
    found = keras.tree.map_structure(np.shape, maps)
    x = np.moveaxis(x, 1, -1) if kind == "permuted_in_front" else x
    assert found == shapes_of_maps(x, method)
    assert all(np.isfinite(each).all() for each in keras.tree.flatten(maps))


def test_the_documentation_has_the_table():
    page = Path(__file__).parents[2] / "docs" / "supported_models.md"
    kinds = dict.fromkeys([*KINDS, *NOTES])  # Also kinds that this backend lacks.
    assert table(kinds) in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", BY_FUNCTION)
@pytest.mark.parametrize("method", METHODS)
def test_models_that_a_function_of_the_outputs_makes_explainable(built, kind, method):
    model, x = built(kind)
    targets = {
        "segmentation": lambda out: keras.ops.mean(out[..., 1], axis=(1, 2)),
        "detection": lambda out: out["found"]["scores"][:, 3],
    }
    explain, options = getattr(ke, method), METHODS[method]
    logits, maps = explain(model, x, targets[kind], verbose=0, **options)
    assert logits.shape == (3, 1 if kind == "segmentation" else 2)
    assert maps.shape == (*shape_of_maps(x)[:-1], logits.shape[1])


@pytest.mark.parametrize(
    "kind", sorted({*KINDS} - {*REFUSED} - NOT_BY_DIFFERENCES | {"subclassed", "table"})
)
def test_derivatives_are_those_of_the_model(built, kind):
    """They equal finite differences in one direction, within the dtype's precision."""
    model, x = built(kind)
    x = x.astype("float32")
    target = ke.inspection.logits_model(model)
    _, maps = ke.explain(
        SIGNED_GRADIENTS, model, x, [1 % _units(target)] * 3, verbose=0
    )
    rng = np.random.default_rng(1)
    direction = rng.normal(size=x.shape).astype("float32")
    step = {"mixed_float16": 0.1, "mixed_bfloat16": 0.3}.get(kind, 1e-2)
    step *= np.ptp(x) / 6
    up, down = (_outputs(target, x + sign * step * direction) for sign in (1, -1))
    found = (maps[..., 0] * direction).reshape(3, -1).sum(axis=1)
    expected = (up - down) / (2 * step)
    allowed = {"mixed_float16": 0.1, "mixed_bfloat16": 0.3}.get(kind, 0.05)
    np.testing.assert_allclose(found, expected, atol=allowed * np.abs(found).max())


def _units(model):
    outputs = getattr(model, "outputs", None)
    return keras.tree.flatten(outputs)[0].shape[-1] if outputs else 4


def _outputs(model, x):
    outputs = keras.tree.flatten(model(x, training=False))[0]
    return numpy(keras.ops.cast(outputs, "float32"))[:, 1 % outputs.shape[-1]]
