"""SmoothGrad of one image by noise level and repetitions."""

import keras
import numpy as np
import pytest
from PIL import Image
from support.small_models import CHANNELS, network, numpy

import keras_explainable as ke
from keras_explainable.plotting import visualize as plotting

SIDE = 12


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return network("softmax")


@pytest.fixture
def image(rng):
    return rng.normal(size=(SIDE, SIDE, CHANNELS)).astype("float32")


@pytest.fixture
def drawn(monkeypatch):
    """The arguments with which the picture is drawn."""
    found = {}

    def visualize(maps, titles, **options):
        found.update(maps=maps, titles=titles, **options)

    monkeypatch.setattr(plotting, "visualize", visualize)
    return found


def test_a_panel_equals_the_map_of_smoothgrad(model, image, drawn):
    rows = ke.sweep(
        model, image, 2, noise_levels=(0.1, 0.3), repetitions=(3, 8), seed=1, verbose=0
    )
    assert repr(rows) == "<Stats of 2 noise levels x 2 numbers of repetitions>"
    assert drawn["maps"].shape == (4, SIDE, SIDE, 1)
    assert drawn["cols"] == 2
    _, maps, stats = ke.smoothgrad(
        model,
        image[None],
        [2],
        repetitions=8,
        noise_level=0.3,
        seed=1,
        estimator="sampled",
        return_stats=True,
        verbose=0,
    )
    np.testing.assert_allclose(drawn["maps"][-1], maps[0], rtol=1e-3, atol=1e-4)
    error = stats.relative_error.item()
    assert drawn["titles"][-1] == f"noise 30%, n = 8, error {error:.2f}"


def test_each_panel_continues_from_the_one_before(model, image, drawn):
    class Counted(keras.callbacks.Callback):
        rows = 0

        def on_explain_progress(self, done, total):
            Counted.rows += done == total
            assert total <= 6

    rows = ke.sweep(
        model,
        image,
        noise_levels=(0.1, 0.2, 0.3),
        repetitions=(1, 4, 10),
        callbacks=[Counted()],
        verbose=0,
    )
    assert Counted.rows >= 9
    found = [[int(stats.repetitions[0]) for stats in row] for row in rows]
    assert found == [[1, 4, 10]] * 3
    assert [title.endswith("error unknown") for title in drawn["titles"][:3]] == [
        True,
        False,
        False,
    ]


def test_a_batch_of_one_image_is_that_image(model, image, drawn):
    given = {"noise_levels": (0.1,), "repetitions": (2,), "verbose": 0}
    [[one]], [[other]] = (ke.sweep(model, x, 2, **given) for x in (image, image[None]))
    np.testing.assert_array_equal(other.maps, one.maps)


def test_the_largest_logit_is_explained(model, image, drawn):
    ((stats,),) = ke.sweep(model, image, noise_levels=[0.1], repetitions=[2], verbose=0)
    assert stats.units.item() == numpy(model(image[None])).argmax()


def test_the_picture_file(model, image, tmp_path):
    path = tmp_path / "sweep.png"
    ke.sweep(
        model, image, noise_levels=[0.1], repetitions=[2, 4], to_file=path, verbose=0
    )
    with Image.open(path) as picture:
        assert picture.width > picture.height > 50


@pytest.mark.parametrize("repetitions", [(), (4, 4), (8, 2)])
def test_repetitions_must_increase(model, image, repetitions):
    with pytest.raises(ValueError, match="`repetitions` must be increasing"):
        ke.sweep(model, image, repetitions=repetitions)


def test_signals_are_drawn_as_lines(rng, tmp_path):
    inputs = keras.Input((40, 2))
    x = keras.layers.Conv1D(3, 5, activation="tanh")(inputs)
    x = keras.layers.GlobalAveragePooling1D()(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    signal = rng.normal(size=(40, 2)).cumsum(axis=0).astype("float32")
    given = {"noise_levels": (0.1, 0.2), "repetitions": (2, 4), "verbose": 0}
    for name, x in {"one.png": signal, "batch.png": signal[None]}.items():
        rows = ke.sweep(model, x, 1, seed=0, to_file=tmp_path / name, **given)
        assert rows[1][1].maps.shape == (1, 40, 2, 1)
    one, batch = (Image.open(tmp_path / name) for name in ("one.png", "batch.png"))
    np.testing.assert_array_equal(one, batch)
