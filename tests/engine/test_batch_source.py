"""Data in every form that people have it in."""

import gc
import itertools
import threading

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from support.small_models import UNITS, images, linear, numpy, quadratic, some_units

import keras_explainable as ke
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS
from keras_explainable.methods.meta import smooth

COUNT = 7


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return quadratic()


@pytest.fixture
def x():
    return images(COUNT)


@pytest.fixture
def y():
    return some_units(COUNT, 2)


def explain(model, x, y=None, **options):
    method = smooth(SIGNED_GRADIENTS, 3, 0.1, seed=0)
    return ke.explain(method, model, x, y, verbose=0, **options)


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def dataset(x, y):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((x, y))


def loader(x, y):
    data = pytest.importorskip("torch.utils.data")
    return data.DataLoader([*zip(x, y, strict=True)], batch_size=None)


def generator(x, y):
    return zip(x, y, strict=True)


@pytest.mark.parametrize("batch_size", [2, 32])
@pytest.mark.parametrize("samples", [dataset, loader, generator])
def test_single_samples_are_gathered(model, x, y, samples, batch_size):
    found = explain(model, samples(x, y), batch_size=batch_size)
    assert_same(found, explain(model, x, y))


def test_single_inputs_without_units(model, x):
    assert_same(explain(model, iter(x)), explain(model, x))


def test_samples_that_never_end(model, x, y):
    pairs = itertools.cycle(zip(x, y, strict=True))
    found = explain(model, pairs, steps=2, batch_size=3)
    assert_same(found, explain(model, x[:6], y[:6]))


def test_a_data_set_that_never_ends(model, x, y):
    endless = dataset(x, y).batch(3).repeat()
    found = explain(model, endless, steps=2)
    assert_same(found, explain(model, x[:6], y[:6]))
    with pytest.raises(ValueError, match="`steps` must be given"):
        explain(model, endless)


class Sequence(keras.utils.PyDataset):
    def __init__(self, x, y, **options):
        super().__init__(**options)
        self.x, self.y = x, y

    def __len__(self):
        return 3

    def __getitem__(self, index):
        rows = slice(3 * index, 3 * index + 3)
        return self.x[rows], self.y[rows]


class Waiting(Sequence):
    """Its first batch is only there when its second one was read."""

    def __init__(self, *args, length=3, broken=None, **options):
        super().__init__(*args, **options)
        self.second, self.length, self.broken = threading.Event(), length, broken
        self.read = []

    @property
    def num_batches(self):
        return self.length

    def __getitem__(self, index):
        self.read.append(index)
        if index == self.broken:
            raise OSError("the disk is gone")
        if index == 0:
            assert self.second.wait(60)
        if index == 1:
            self.second.set()
        return super().__getitem__(index % 3)


@pytest.mark.parametrize("processes", [False, True])
def test_a_data_set_with_several_workers(model, x, y, processes):
    threads = threading.active_count()
    data = Waiting(x, y, workers=2, use_multiprocessing=processes)
    assert_same(explain(model, data), explain(model, x, y))
    assert sorted(data.read) == [0, 1, 2]
    assert threading.active_count() == threads


def test_several_workers_that_never_end(model, x, y):
    data = Waiting(x, y, workers=2, length=None)
    assert_same(explain(model, data, steps=2), explain(model, x[:6], y[:6]))
    assert max(data.read) < 5


def test_a_worker_that_fails(model, x, y):
    threads = threading.active_count()
    with pytest.raises(OSError, match="the disk is gone"):
        explain(model, Waiting(x, y, workers=2, broken=2))
    gc.collect()
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    "dtype",
    ["float16", "float32", "float64", "int8", "uint8", "int16", "int64", "bool"],
)
def test_every_dtype(model, dtype):
    x = (5 * abs(images(COUNT))).astype(dtype)
    found = explain(model, x)
    assert_same(found, explain(model, x.astype("float32")))
    assert found[1].dtype == "float32"


def test_pictures(model):
    pixels = (50 * abs(images(3))).clip(0, 255).astype("uint8")
    pictures = [Image.fromarray(each) for each in pixels]
    found, expected = (ke.gradients(model, x, verbose=0) for x in (pictures, pixels))
    assert_same(found, expected)
    with pytest.raises(ValueError, match=r"`x` must have shape \(any, 4, 4, 3\)"):
        ke.gradients(model, pictures[0], verbose=0)


def test_a_dictionary_of_the_one_input(model, x, y):
    name = model.inputs[0].name
    assert_same(explain(model, {name: x}, y), explain(model, x, y))


@pytest.mark.parametrize("structure", [dict, list])
@pytest.mark.parametrize("lower", [True, False])
def test_a_model_of_a_dictionary_or_list_of_one(model, x, y, structure, lower):
    """Keras would warn of the structure of the inputs, which fails a test here."""
    one = model.inputs[0]
    own = {one.name: one} if structure is dict else [one]
    nested = keras.Model(own, model.outputs)
    expected = explain(model, x, y)
    given = [x, {one.name: x}] if structure is dict else [x]
    for each in given:
        assert_same(explain(nested, each, y, lower=lower), expected)
    ke.inspection.logits_model(nested)(x)


@pytest.fixture(scope="module")
def of_any_size():
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, activation="tanh")(inputs)
    return keras.Model(inputs, layers.Dense(UNITS)(layers.GlobalMaxPooling2D()(x)))


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_images_of_different_sizes(of_any_size, rng, batch_size):
    sizes = [(9, 8), (9, 8), (7, 12), (9, 8), (9, 8), (9, 8)]
    x, y = [rng.normal(size=(*size, 3)) for size in sizes], [0, 1, 2, 3, 4, 0]
    options = {"batch_size": batch_size}
    logits, maps = explain(of_any_size, x, y, **options)
    assert logits.shape == (6, 1)
    assert [each.shape for each in maps] == [(*size, 3, 1) for size in sizes]
    for number, image in enumerate(x):
        alone = explain(of_any_size, image[None], y[number : number + 1], ids=[number])
        np.testing.assert_allclose(maps[number], alone[1][0], atol=1e-5)
    _, resized = ke.smoothgrad(
        of_any_size, x, y, repetitions=2, resizing=(5, 6), verbose=0, **options
    )
    assert resized.shape == (6, 5, 6, 1)


@pytest.mark.parametrize("known", [True, False])
def test_single_samples_of_different_sizes(of_any_size, rng, known):
    sizes = [4, 4, 6, 5, 5, 5]
    samples = [rng.uniform(size=(n, n, 3)).astype("float32") for n in sizes]
    data = Samples(samples) if known else (each for each in samples)
    _, maps = ke.explain(SIGNED_GRADIENTS, of_any_size, data, batch_size=2, verbose=0)
    assert [each.shape[0] for each in maps] == sizes
    for image, found in zip(samples, maps, strict=True):
        _, one = ke.explain(SIGNED_GRADIENTS, of_any_size, image[None], verbose=0)
        np.testing.assert_allclose(found, one[0], rtol=1e-4, atol=1e-6)


class Samples:
    """A data set of known length that yields single samples."""

    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __iter__(self):
        return iter(self.samples)


def test_images_of_different_sizes_are_checked_first(of_any_size, rng):
    x = [rng.normal(size=(9, 8, 3)), rng.normal(size=(7, 12, 3))]
    never = pytest.fail
    for bad, message in [
        ([*x, np.full((5, 5, 3), np.nan)], "finite"),
        ([*x, rng.normal(size=(5, 5, 4))], "`x` must have shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            ke.explain(never, of_any_size, bad, verbose=0)
    for y in ([0], [0, 1, 2], [0, UNITS]):
        with pytest.raises(ValueError, match="`y` must"):
            ke.explain(never, of_any_size, x, y, verbose=0)


def test_images_of_a_size_that_the_model_does_not_take(model, x):
    with pytest.raises(ValueError, match="`x` must have shape"):
        explain(model, [x[0], x[1][:3]])


@pytest.mark.parametrize("x", ["cats", None, 3.0, [], {}, object(), [None]])
def test_what_is_no_data(model, x):
    with pytest.raises((TypeError, ValueError), match="`x` must"):
        explain(model, x)


def test_a_model_loaded_from_a_file(x, y, tmp_path):
    model = linear()
    expected = explain(model, x, y)
    for name in ("model.keras", "model.h5"):
        keras.saving.save_model(model, tmp_path / name)
        loaded = keras.saving.load_model(tmp_path / name, compile=False)
        assert_same(explain(loaded, x, y), expected)
    model.save_weights(tmp_path / "model.weights.h5")
    other = linear()
    other.set_weights([numpy(weight) * 0 for weight in other.weights])
    other.load_weights(tmp_path / "model.weights.h5")
    assert_same(explain(other, x, y), expected)
