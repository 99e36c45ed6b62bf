"""Ragged and sparse data are not filled with zeros in silence."""

import importlib
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients, input_x_gradient
from keras_explainable.methods.meta import smooth

RNG = np.random.default_rng(0)
LONG, SHORT = (RNG.normal(size=(n, 4)).astype("float32") for n in (5, 2))
ROWS = np.diag([1.0, 2.0, 3.0, 4.0]).astype("float32")[:2]


def tensorflow_ragged(tf):
    return tf.ragged.stack([LONG, SHORT])


def tensorflow_ragged_rows(tf):
    return tf.RaggedTensor.from_row_lengths(np.concatenate([LONG, SHORT]), [5, 2])


def torch_nested(torch):
    return torch.nested.nested_tensor([torch.tensor(LONG), torch.tensor(SHORT)])


def torch_jagged(torch):
    rows = [torch.tensor(LONG), torch.tensor(SHORT)]
    return torch.nested.nested_tensor(rows, layout=torch.jagged)


RAGGED = {
    tensorflow_ragged: "tensorflow",
    tensorflow_ragged_rows: "tensorflow",
    torch_nested: "torch",
    torch_jagged: "torch",
}

#: Functions of a module and rows, which return them as a sparse tensor.
SPARSE = {
    "SparseTensor": ("tensorflow", lambda tf, x: tf.sparse.from_dense(x)),
    "torch COO": ("torch", lambda torch, x: torch.tensor(x).to_sparse()),
    "torch CSR": ("torch", lambda torch, x: torch.tensor(x).to_sparse_csr()),
    "BCOO": ("jax.experimental.sparse", lambda jax, x: jax.BCOO.fromdense(x)),
    "csr_matrix": ("scipy.sparse", lambda scipy, x: scipy.csr_matrix(x)),
    "coo_array": ("scipy.sparse", lambda scipy, x: scipy.coo_array(x)),
}


@pytest.fixture(scope="module")
def sequences():
    inputs = keras.Input((None, 4))
    x = layers.GlobalAveragePooling1D()(layers.Dense(3, activation="tanh")(inputs))
    return keras.Model(inputs, layers.Dense(5)(x))


@pytest.fixture(scope="module")
def table():
    return keras.Sequential([keras.Input((4,)), layers.Dense(5)])


def ways(model, x):
    """Return the ways in which data are given."""
    options, y = {"verbose": 0}, [0, 1]
    return [
        lambda: ke.gradients(model, x, y, **options),
        lambda: ke.gradients(model, {model.inputs[0].name: x}, y, **options),
        lambda: ke.gradients(model, [x, x], y, **options),
        lambda: ke.gradients(model, iter([(x, y)]), **options),
        lambda: ke.gradients(model, iter([x]), **options),
        lambda: gradients(model, x, y),
        lambda: smooth(input_x_gradient, 2)(model, x, y),
    ]


@pytest.mark.filterwarnings("ignore")  # Nested and CSR tensors are in beta.
@pytest.mark.parametrize("make", RAGGED, ids=lambda make: make.__name__)
def test_ragged_data_are_refused(sequences, make):
    x = make(pytest.importorskip(RAGGED[make]))
    for call in ways(sequences, x):
        with pytest.raises(TypeError, match=r"`x` must be dense; .* ragged .* a list"):
            call()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", SPARSE)
def test_sparse_data_are_refused(table, kind):
    library, make = SPARSE[kind]
    module = pytest.importorskip(library)
    for call in ways(table, make(module, ROWS)):
        with pytest.raises(TypeError, match="`x` must be dense; received a sparse"):
            call()
    units = make(module, np.array([[0, 1], [2, 0]]))
    with pytest.raises(TypeError, match="`y` must be dense; received a sparse"):
        ke.gradients(table, ROWS, units, verbose=0)


@pytest.mark.parametrize("sparse", [True, False])
def test_a_tensorflow_data_set_of_them_is_refused(table, sequences, sparse):
    tf = pytest.importorskip("tensorflow")
    x = tf.sparse.from_dense(ROWS) if sparse else tensorflow_ragged(tf)
    data = tf.data.Dataset.from_tensors(x)
    with pytest.raises(TypeError, match="`x` must be dense"):
        ke.gradients(table if sparse else sequences, data, verbose=0)


def test_what_to_pass_instead_explains_each_sample(sequences, table):
    logits, _ = ke.gradients(sequences, [LONG, SHORT], [0, 1], verbose=0)
    for number, x in enumerate((LONG, SHORT)):
        alone = sequences.predict(x[None], verbose=0)[0, number]
        np.testing.assert_allclose(logits[number, 0], alone, rtol=1e-4)
    scipy = importlib.import_module("scipy.sparse")
    found = ke.gradients(table, scipy.csr_matrix(ROWS).toarray(), [0, 1], verbose=0)
    np.testing.assert_array_equal(found[0], ke.gradients(table, ROWS, [0, 1])[0])


@pytest.mark.backend_independent
@pytest.mark.parametrize(
    "text", [[["a"], ["b"]], np.array([[b"a"]]), np.array([["a"]], dtype=object)]
)
def test_text_is_to_be_looked_up_first(text):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    with pytest.raises(TypeError, match=r"received text\. Look it up first"):
        ke.gradients(model, text)


@pytest.mark.backend_independent
@pytest.mark.parametrize("names", [["cat", "dog"], np.array(["cat", "dog"])])
def test_names_of_classes_are_no_units(names):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    with pytest.raises(TypeError, match=r"`y` .* pass their units"):
        ke.gradients(model, np.ones((2, 1)), names)


@pytest.mark.parametrize(
    "take",
    [
        lambda rows: ke.targets.region(rows, 1),
        lambda rows: ke.targets.loss(rows, "mse"),
        lambda rows: ke.metrics.sparseness(rows),
    ],
)
def test_arrays_of_several_shapes_are_told(take):
    with pytest.raises(TypeError, match=r"one shape; received rows of 2 .*\(2, 4\)"):
        take([LONG, SHORT])


def test_text_as_data_of_images_is_told():
    with pytest.raises(TypeError, match="labels, pass their numbers"):
        ke.targets.loss(["cat", "dog"], "mse")


@pytest.mark.parametrize("path", ["cat.png", Path("cat.png")])
def test_paths_of_images_are_told(sequences, path):
    with pytest.raises(TypeError, match=r"received .*cat.png.*load_img\(path\)"):
        ke.gradients(sequences, path, 0)
