"""Maps of the same images while a model is trained."""

import importlib
import json
import warnings

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

import keras_explainable as ke
from keras_explainable.callbacks import image_events
from keras_explainable.callbacks.explain import _drawn, _pictures

X, Y, _ = ke.demo.load_samples()
FEW, UNITS = X[:3].astype("float32"), Y[:3]
HAS_TENSORBOARD = image_events.is_installed()


@pytest.fixture
def model():
    """The bundled network, which is trained a little to say something else."""
    found = ke.demo.load_model()
    found.compile(keras.optimizers.SGD(1e-3), "sparse_categorical_crossentropy")
    return found


def fit(model, watched, epochs=4, **params):
    labels = (UNITS + 1) % 10
    params = {"epochs": epochs, "batch_size": 3, "verbose": 0, **params}
    return model.fit(FEW, labels, callbacks=[watched], **params)


def names(folder):
    """Return the pictures of single epochs."""
    return sorted(str(x.relative_to(folder)) for x in folder.rglob("epoch_????.png"))


def summary(folder):
    return json.loads((folder / "manifest.json").read_text("utf-8"))


def test_pictures_show_the_model_as_it_is_then(model, tmp_path):
    methods = ["gradients", ke.gradcam]
    watched = ke.callbacks.Explain(
        FEW, UNITS, methods, every=2, folder=tmp_path, tensorboard=False
    )
    before = [np.array(x) for x in model.get_weights()]
    _, first = ke.gradcam(model, FEW, UNITS, verbose=0)
    fit(model, watched)
    epochs = [f"epoch_{number:04}.png" for number in (0, 2, 4)]
    expected = [f"{name}/{x}" for name in ("gradcam", "gradients") for x in epochs]
    assert names(tmp_path) == expected
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    _, last = ke.gradcam(model, FEW, UNITS, verbose=0)
    assert np.abs(last - first).max() > 1e-3
    pictures = [(tmp_path / "gradcam" / epoch).read_bytes() for epoch in epochs]
    assert pictures[0] == _drawn(_pictures(FEW), first)
    assert pictures[2] == _drawn(_pictures(FEW), last)
    assert summary(tmp_path)["model"] == model.name


def test_training_is_the_same_with_it(model, tmp_path):
    watched = ke.callbacks.Explain(FEW, folder=tmp_path, repetitions=2, seed=7)
    initial = model.get_weights()
    losses = fit(model, watched, epochs=2, shuffle=False).history["loss"]
    model.set_weights(initial)
    model.compile(keras.optimizers.SGD(1e-3), "sparse_categorical_crossentropy")
    others = fit(model, keras.callbacks.Callback(), epochs=2, shuffle=False)
    np.testing.assert_allclose(losses, others.history["loss"], rtol=1e-5)


def test_a_model_that_is_built_when_it_is_trained(tmp_path):
    model = keras.Sequential([layers.Flatten(), layers.Dense(10)])
    model.compile("sgd", "mse")
    watched = ke.callbacks.Explain(FEW, UNITS, "gradients", folder=tmp_path)
    model.fit(FEW, np.zeros((3, 10)), verbose=0, callbacks=[watched])
    # On TensorFlow, the first batch builds it, so that there is no picture before.
    assert names(tmp_path)[-1] == "gradients/epoch_0001.png"


def test_a_continued_training_continues_the_pictures(model, tmp_path):
    watched = ke.callbacks.Explain(FEW, UNITS, "gradients", folder=tmp_path)
    fit(model, watched, epochs=1)
    times = {x: (tmp_path / x).stat().st_mtime_ns for x in names(tmp_path)}
    fit(model, watched, epochs=2, initial_epoch=1)
    assert names(tmp_path) == [*times, "gradients/epoch_0002.png"]
    assert all((tmp_path / x).stat().st_mtime_ns == time for x, time in times.items())
    assert [each["epoch"] for each in summary(tmp_path)["epochs"]] == [0, 1, 2]


def test_the_report_has_the_scores_of_each_epoch(model, tmp_path):
    watched = ke.callbacks.Explain(FEW, UNITS, "gradcam", folder=tmp_path)
    before = ke.inspection.logits_model(model).predict(FEW, verbose=0)
    history = fit(model, watched, epochs=2).history
    after = ke.inspection.logits_model(model).predict(FEW, verbose=0)
    first, _, last = summary(tmp_path)["epochs"]
    assert [[f"unit {unit}"] for unit in UNITS] == last["maps"]["gradcam"]["units"]
    for epoch, logits in ((first, before), (last, after)):
        scores = np.ravel(epoch["maps"]["gradcam"]["scores"])
        np.testing.assert_allclose(scores, logits[range(3), UNITS], rtol=1e-3)
    assert first["logs"] == {}
    assert last["logs"]["loss"] == pytest.approx(history["loss"][-1])


def test_logs_of_any_kind_do_not_end_the_training(model, tmp_path):
    class Adds(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs |= {"classes": np.array([0.25, 0.75]), "note": "well", "none": None}

    watched = ke.callbacks.Explain(FEW, UNITS, "gradients", folder=tmp_path)
    model.fit(FEW, UNITS, verbose=0, callbacks=[Adds(), watched])
    logs = summary(tmp_path)["epochs"][-1]["logs"]
    assert logs["classes"] == 0.5
    assert "loss" in logs
    assert not {"note", "none"} & {*logs}


def test_a_second_training_begins_another_report(model, tmp_path):
    watched = ke.callbacks.Explain(FEW, UNITS, "gradients", folder=tmp_path)
    initial = model.get_weights()
    fit(model, watched, epochs=2)
    old = (tmp_path / "gradients/epoch_0000.png").read_bytes()
    trained = model.get_weights()
    for again in (
        watched,
        ke.callbacks.Explain(FEW, UNITS, "gradients", folder=tmp_path),
    ):
        fit(model, again, epochs=1)
        assert [x["epoch"] for x in summary(tmp_path)["epochs"]] == [0, 1]
        assert (tmp_path / "gradients/epoch_0000.png").read_bytes() != old
    assert any((a != b).any() for a, b in zip(initial, trained, strict=True))


def test_values_of_a_function_have_no_units(model, tmp_path):
    watched = ke.callbacks.Explain(
        FEW, lambda outputs: outputs[:, 1], "gradients", folder=tmp_path
    )
    fit(model, watched, epochs=1)
    units = summary(tmp_path)["epochs"][0]["maps"]["gradients"]["units"]
    assert units == [["value 0"]] * 3


@pytest.mark.skipif(not HAS_TENSORBOARD, reason="TensorBoard is not installed")
def test_tensorboard_shows_the_pictures(model, tmp_path):
    watched = ke.callbacks.Explain(
        FEW, UNITS, {"ours": ke.gradients}, folder=tmp_path, tensorboard=True
    )
    fit(model, watched, epochs=2)
    with warnings.catch_warnings(action="ignore"):
        path = "tensorboard.backend.event_processing.event_accumulator"
        found = importlib.import_module(path).EventAccumulator(str(tmp_path)).Reload()
    assert [each.step for each in found.Images("ours")] == [0, 1, 2]
    last = found.Images("ours")[-1]
    path = tmp_path / "ours" / "epoch_0002.png"
    assert last.encoded_image_string == path.read_bytes()
    with Image.open(path) as picture:
        assert (last.width, last.height) == picture.size


def test_without_tensorboard(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert ke.callbacks.Explain(FEW, folder=tmp_path).events is None
    with pytest.raises(ImportError, match=r"keras-explainable\[tensorboard\]"):
        ke.callbacks.Explain(FEW, tensorboard=True)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0, 255), (-120.0, 150.0), (0, 4000)]
)
def test_images_of_any_range_are_shown(low, high):
    ramp = np.linspace(low, high, 2 * 4 * 4 * 3).reshape(2, 4, 4, 3)
    shown = np.stack(_pictures(ramp))
    assert (shown.min(), shown.max()) == (0, 255)
    assert (np.diff(shown.ravel().astype(int)) >= 0).all()


def test_the_mean_of_many_channels_is_shown():
    images = np.zeros((2, 4, 4, 7))
    images[1, 2, 3, :] = range(97, 104)
    shown = _pictures(images)
    assert shown[1].shape == (4, 4, 1)
    assert (shown[1][2, 3, 0], shown[0].max()) == (100, 0)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"every": 0}, "`every` must be at least 1; received 0"),
        ({"seed": -1}, "`seed` must be at least 0; received -1"),
        ({"verbose": 0, "ids": 1}, r"the callback sets; received \['ids', 'verbose'\]"),
        ({"x": FEW[0]}, r"`x` must be images .* received shape \(96, 96, 3\)"),
        ({"images": FEW[:2]}, r"`images` must be images \(3, H, W, C\)"),
        ({"methods": "gradcamm"}, "received 'gradcamm'; did you mean gradcam, "),
        (
            {"methods": {"a": FEW}},
            r"`methods` must be methods; received maps for \['a'",
        ),
    ],
)
def test_wrong_arguments_are_refused_at_once(params, message):
    with pytest.raises(ValueError, match=message):
        ke.callbacks.Explain(**{"x": FEW, **params})


def shown_units(tmp_path, model, y, class_names):
    watched = ke.callbacks.Explain(
        FEW, y, "gradients", folder=tmp_path, class_names=class_names, tensorboard=False
    )
    fit(model, watched, epochs=1)
    return summary(tmp_path)["epochs"][-1]["maps"]["gradients"]["units"]


def test_units_have_the_names_of_classes(model, tmp_path):
    digits = [f"digit {number}" for number in range(10)]
    named = [[f"digit {unit}"] for unit in UNITS]
    assert shown_units(tmp_path, model, UNITS, digits) == named
    assert f"digit {UNITS[0]}" in (tmp_path / "index.html").read_text("utf-8")


def test_units_without_a_name_have_their_number(model, tmp_path):
    first = int(UNITS[0])
    expected = ["first" if unit == first else f"unit {unit}" for unit in UNITS]
    found = shown_units(tmp_path, model, UNITS, {first: "first"})
    assert found == [[each] for each in expected]


def test_values_of_a_function_are_no_classes(model, tmp_path):
    of_function = shown_units(tmp_path, model, lambda y: y[:, 3], ["zero", "one"])
    assert of_function == [["value 0"]] * 3


def test_the_only_unit_has_the_name_of_label_1(tmp_path):
    last = layers.Dense(1, activation="sigmoid")
    binary = keras.Sequential([keras.Input(FEW.shape[1:]), layers.Flatten(), last])
    binary.compile("sgd", "mse")
    found = shown_units(tmp_path, binary, "predicted", ["even", "odd"])
    assert found == [["odd"]] * 3


def test_class_names_are_no_text():
    with pytest.raises(ValueError, match="`class_names` must be a list of names"):
        ke.callbacks.Explain(FEW, class_names="abc")
