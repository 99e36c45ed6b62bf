"""``ke.explain`` returns a tuple that knows what its maps belong to."""

import copy
import gc
import pickle
import sys

import keras
import numpy as np
import pytest
from keras import layers
from support.small_models import UNITS, images, linear, network, some_units

import keras_explainable as ke
from keras_explainable.engine.explanation import facts
from keras_explainable.inspection.model_fingerprint import fingerprint
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth

NAMES = ["ape", "bee", "cat", "dog", "eel"]


@pytest.fixture(scope="module")
def small():
    return linear()


def explained(model, x, y=None, **params):
    return ke.gradients(model, x, y, verbose=0, **params)


@pytest.mark.parametrize("return_stats", [False, True])
def test_it_is_the_tuple_that_methods_return(small, return_stats):
    x, method = images(3), smooth(gradients, repetitions=2)
    found = ke.explain(method, small, x, verbose=0, return_stats=return_stats)
    logits, *rest = found
    assert isinstance(found, tuple)
    assert len(found) == 2 + return_stats
    assert found.logits is logits is found[0]
    assert found.maps is rest[0] is found[1]
    assert found.stats is (found[2] if return_stats else None)
    assert found[::-1] == (*rest[::-1], logits)
    assert (found.method, found.images) == ("smooth(gradients)", x)
    copies = [pickle.loads(pickle.dumps(found)), copy.deepcopy(found)]
    for each in [copy.copy(found), *copies]:
        assert (each.model, len(each)) == (fingerprint(small), len(found))
        np.testing.assert_array_equal(each.maps, found.maps)
        np.testing.assert_array_equal(each.units, found.units)
    assert copies[0].images is None


def test_units(small):
    x, y = images(5), some_units(5)
    every = np.tile(np.arange(UNITS), (5, 1))
    outputs = keras.ops.convert_to_numpy(small(x))
    largest = np.argsort(-outputs, axis=-1)[:, :3]
    kinds = [(None, every), ("predicted", largest[:, :1]), ("top3", largest), (y, y)]
    for given, expected in kinds:  # In batches, the last of which is padded.
        found = explained(small, x, given, batch_size=2)
        np.testing.assert_array_equal(found.units, expected)
        chosen = np.take_along_axis(outputs, found.units, axis=1)
        np.testing.assert_allclose(chosen, found.logits, 1e-4, 1e-4)
    of_data = explained(small, ((x[rows], y[rows]) for rows in ([0, 1, 2], [3, 4])))
    np.testing.assert_array_equal(of_data.units, y)
    assert of_data.images is None
    assert explained(small, x, lambda outputs: outputs[:, 0]).units is None


def test_units_of_other_axes(small):
    x = images(6).reshape(3, 2, *images(1).shape[1:])
    own = {"spatial_axis": (-3, -2)}
    found = explained(small, x, **own)
    assert found.units.shape == found.logits.shape == (3, 2, UNITS)
    assert "0, 1" in repr(found)


def test_labels(small):
    found = explained(small, images(2), [[2, 0], [4, 2]])
    named = found.with_labels(NAMES)
    assert named.labels.tolist() == [["cat", "ape"], ["eel", "cat"]]
    assert (found.labels, named.maps, named.images) == (None, *found[1:], found.images)
    some = found.with_labels({0: "ape", 2: "cat", 4: "eel"})
    assert some.labels.tolist() == named.labels.tolist()
    of_function = explained(small, images(2), lambda outputs: outputs[:, :2] ** 2)
    assert of_function.with_labels(["a", "b"]).labels.tolist() == [["a", "b"]] * 2
    for wrong in (NAMES[:4], {0: "ape", 2: "cat"}, "abcde"):
        with pytest.raises(ValueError, match=r"`names` must be .* unit [04]"):
            found.with_labels(wrong)


class Subclassed(keras.Model):
    """A model whose number of units is known once it has run."""

    def __init__(self):
        super().__init__()
        self.layer = layers.Dense(1)

    def call(self, x):
        return self.layer(keras.ops.sum(x, axis=(1, 2)))


@pytest.mark.parametrize("is_subclass", [False, True])
def test_the_only_unit_has_the_name_of_label_1(is_subclass):
    last = layers.Dense(1, activation="sigmoid")
    binary = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), last])
    model, x = Subclassed() if is_subclass else binary, np.ones((2, 4, 4, 3))
    for y in (None, "predicted"):
        found = explained(model, x, y)
        for given in (["even", "odd"], {0: "even", 1: "odd"}, ["odd"], {0: "odd"}):
            assert found.with_labels(given).labels.tolist() == [["odd"]] * 2
        for wrong in ("ab", [], ["a", "b", "c"], {1: "odd"}):
            with pytest.raises(ValueError, match="The only unit speaks for label 1"):
                found.with_labels(wrong)


def test_the_only_unit_is_known_after_load(tmp_path, small):
    of_two = explained(small, images(1), [[0]]).with_labels(["even", "odd"])
    assert of_two.labels.tolist() == [["even"]]  # Of a model with other units.
    found = explained(Subclassed(), np.ones((1, 4, 4, 3)))
    found.save(tmp_path / "found.npz")
    for same in (pickle.loads(pickle.dumps(found)), found.load(tmp_path / "found.npz")):
        assert same.with_labels(["even", "odd"]).labels.tolist() == [["odd"]]


def test_the_table_has_a_line_for_each_map(small):
    found = explained(small, images(2), [[2, 0], [4, 2]]).with_labels(NAMES)
    caption, *rows = repr(found).splitlines()
    assert caption == "4 maps of gradients"
    assert [row.split() for row in rows] == [
        ["image", "unit", "label", "logit"],
        *(
            [str(n), str(unit), NAMES[unit], f"{found.logits[n, k]:.3g}"]
            for (n, k), unit in np.ndenumerate(found.units)
        ),
    ]
    many = repr(explained(small, images(6)))
    assert many.startswith("30 maps of gradients, of which the first 20 are shown")
    assert len(many.splitlines()) == 22


def test_weights_are_hashed_when_they_are_asked_for(monkeypatch):
    hashed = []
    monkeypatch.setattr(facts, "fingerprint", lambda _: hashed.append(1) or "abc")
    model = linear()
    found = explained(model, images(1))
    assert hashed == []
    assert found.model == found.with_labels(NAMES).model == "abc"
    assert len(hashed) == 1


def test_a_model_that_is_gone_has_no_fingerprint():
    def model(x, training=False):
        return x

    unknown = facts.LazyFingerprint.of(model)
    del model
    gc.collect()
    assert unknown.value is None


def test_the_preprocessing_of_the_method_is_named(small):
    def halved(x):
        return x / 2

    method = smooth(gradients, repetitions=2, preprocess=halved)
    assert ke.explain(method, small, images(1), verbose=0).preprocessing == "halved"
    assert explained(small, images(1)).preprocessing is None


def several_inputs():
    first, second = keras.Input((4, 4, 3), name="left"), keras.Input((7,), name="right")
    joined = layers.Concatenate()([layers.Flatten()(first), second])
    return keras.Model({"left": first, "right": second}, layers.Dense(3)(joined))


def test_maps_are_by_name_where_inputs_are(tmp_path):
    """Also of a model that takes a list."""
    by_name, rng = several_inputs(), np.random.default_rng(0)
    model = keras.Model(by_name.inputs, by_name.outputs[0])
    x = {"left": images(4), "right": rng.normal(size=(4, 7)).astype("float32")}
    listed = explained(model, [*x.values()])
    method = smooth(gradients, repetitions=2)
    found = ke.explain(method, model, x, verbose=0, return_stats=True)
    batches = ({k: v[at : at + 2] for k, v in x.items()} for at in (0, 2))
    of_data = explained(model, batches)
    assert isinstance(listed.maps, list)
    assert [*found.maps] == [*found.stats] == [*found.images] == [*x]
    for each in (explained(model, x), of_data):
        for maps, name in zip(listed.maps, x, strict=True):
            np.testing.assert_allclose(each.maps[name], maps, rtol=1e-5)
    found.save(tmp_path / "found.npz")
    loaded = ke.Explanation.load(tmp_path / "found.npz")
    assert [*loaded.maps] == [*loaded.stats] == [*x]
    loaded.plot(tmp_path / "left.png", images=x)
    assert (tmp_path / "left.png").stat().st_size


def of_any_size():
    inputs = keras.Input((None, None, 3))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs))
    return keras.Model(inputs, layers.Dense(5)(pooled))


def cases():
    rng = np.random.default_rng(0)
    both = {"left": images(3), "right": rng.normal(size=(3, 7)).astype("float32")}
    sizes = [rng.normal(size=(n, 6, 3)).astype("float32") for n in (5, 6, 5)]
    method = smooth(gradients, repetitions=2)
    for model, x in ((linear(), images(3)), (several_inputs(), both)):
        yield ke.explain(method, model, x, verbose=0, return_stats=True)
    yield explained(of_any_size(), sizes, [[1, 2]] * 3).with_labels(NAMES)
    yield explained(network(), rng.normal(size=(2, 12, 12, 3)), lambda y: y[:, 0])


def assert_same(one, other):
    assert repr(one) == repr(other)
    assert (one.model, one.method, len(one)) == (other.model, other.method, len(other))
    structures = [keras.tree.flatten(x) for x in (one[1:], other[1:])]
    for part, same in zip(*structures, strict=True):
        assert type(part) is type(same) or not isinstance(part, np.ndarray)
        if hasattr(part, "facts"):
            assert (part.facts, repr(part)) == (same.facts, repr(same))
        else:
            np.testing.assert_array_equal(part[...], same[...])


@pytest.mark.parametrize("suffix", [".npz", ".zarr"])
def test_what_is_loaded_is_what_was_saved(suffix, tmp_path):
    path = tmp_path / f"kept{suffix}"
    for found in cases():
        found.save(path)  # In place of the one before.
        loaded = ke.Explanation.load(path)
        assert_same(loaded, found)
        loaded.save(path)  # Its maps may be read from there.
        assert_same(ke.Explanation.load(path), found)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".npz", ".zarr"])
def test_bfloat16_is_saved_as_float32(suffix, tmp_path):
    rounded = keras.layers.Dense(3, dtype="mixed_bfloat16")
    model = keras.Sequential([keras.Input((4,)), rounded])
    method, x = smooth(gradients, repetitions=2), np.ones((2, 4), "float32")
    found = ke.explain(method, model, x, verbose=0, return_stats=True)
    assert found.logits.dtype == "bfloat16"
    found.save(tmp_path / f"kept{suffix}")
    loaded = ke.Explanation.load(tmp_path / f"kept{suffix}")
    for logits in (loaded.logits, loaded.stats.logits, found.to_xarray().logits):
        assert logits.dtype == "float32"
        np.testing.assert_array_equal(logits, found.logits.astype("float32"))


def test_maps_in_a_folder_are_read_when_they_are_needed(small, tmp_path):
    explained(small, images(3)).save(tmp_path / "kept.zarr")
    loaded = ke.Explanation.load(tmp_path / "kept.zarr")
    assert type(loaded.maps).__module__.startswith("zarr")
    assert isinstance(loaded.maps[1], np.ndarray)
    assert isinstance(loaded.logits, np.ndarray)


def test_other_files_are_refused_and_kept(small, tmp_path):
    found = explained(small, images(1))
    folder = tmp_path / "results.zarr"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine", "utf-8")
    np.savez(tmp_path / "other.npz", a=1)
    for path in (folder, tmp_path / "other.npz"):
        with pytest.raises(ValueError, match=r"what `Explanation\.save` wrote"):
            ke.Explanation.load(path)
    with pytest.raises(ValueError, match=r"what `Explanation\.save` wrote"):
        found.save(folder)
    assert (folder / "mine.txt").exists()
    for call in (found.save, ke.Explanation.load):
        with pytest.raises(ValueError, match=r"must end in \.npz or \.zarr; received"):
            call(tmp_path / "maps.h5")
    with pytest.raises(FileNotFoundError, match="`path` must exist"):
        ke.Explanation.load(tmp_path / "none.npz")


def test_a_data_set_of_xarray():
    one, both, sizes, of_function = cases()
    data = one.with_labels(NAMES).to_xarray()
    assert data.maps.dims == ("image", "y", "x", "unit")
    assert data.relative_error.dims == data.units.dims == data.labels.dims
    np.testing.assert_array_equal(data.maps.sel(image=1), one.maps[1])
    assert data.labels[0, 2] == "cat"
    assert data.attrs == {"method": "smooth(gradients)", "model": one.model}
    several = both.to_xarray()
    assert several.maps_left.dims == ("image", "y_left", "x_left", "unit")
    assert several.maps_right.dims == ("image", "time_right", "unit")
    assert "units" not in of_function.to_xarray()
    with pytest.raises(ValueError, match="`maps` must have one size"):
        sizes.to_xarray()


def test_a_package_that_is_missing_is_named(small, tmp_path, monkeypatch):
    found = explained(small, images(1))
    for module, call in (
        ("xarray", found.to_xarray),
        ("zarr", lambda: found.save(tmp_path / "kept.zarr")),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImportError, match=rf"needs {module}.*\[results\]"):
            call()


def test_results_of_shortcuts_that_sample_have_their_own_names():
    """Otherwise a saved result could not be told from that of ``smooth(gradients)``."""
    model, x = network(), np.random.default_rng(0).random((1, 12, 12, 3), "float32")

    def name_of(shortcut, **params):
        return shortcut(model, x, [0], repetitions=4, verbose=0, **params).method

    for estimator in ("sampled", "slopes", "hybrid"):
        found = name_of(ke.smoothgrad, estimator=estimator)
        assert found == f"smoothgrad ({estimator})"
    assert name_of(ke.smoothgrad_squared) == "smoothgrad_squared"
    assert name_of(ke.vargrad) == "vargrad"
    assert name_of(ke.smoothgrad, statistic="variance") == "vargrad"
    automatic = ke.smoothgrad(
        model, x, [0], repetitions=4, verbose=0, return_stats=True
    )
    assert automatic.method == f"smoothgrad ({automatic.stats.estimator})"
