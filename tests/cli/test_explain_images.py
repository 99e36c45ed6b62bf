import keras
import numpy as np
import pytest

import keras_explainable as ke
from keras_explainable.cli import explain_images, read_images


@pytest.mark.parametrize("method", ["smoothgrad", "gradients"])
def test_maps_equal_those_of_the_library(
    method, explain, picture, model_file, maps, manifest
):
    names = [picture("a.png", 1), picture("b.png", 2)]
    params, few = {}, None
    options = ["--method", method, "--target", "top3"]
    if method == "smoothgrad":
        few = 3
        options += ["--noise-level", 0.2, "--seed", 5]
    assert explain(*names, *options, repetitions=few)[0] == 0
    entries = manifest()["images"]
    x = np.stack([read_images.read(name, (12, 12)) for name in names]).astype("float32")
    y = np.array([entry["explained"] for entry in entries])
    assert y.shape == (2, 3)
    model = keras.models.load_model(model_file)
    if method == "smoothgrad":
        ids = [entry["maps"][0]["noise"]["id"] for entry in entries]
        params = {"repetitions": few, "noise_level": 0.2, "seed": 5, "ids": ids}
    _, expected = getattr(ke, method)(model, x, y, verbose=0, **params)
    np.testing.assert_allclose(maps()["a"], expected[0], atol=1e-4)
    np.testing.assert_allclose(maps()["b"], expected[1], atol=1e-4)
    if method == "smoothgrad":
        sigmas = [entry["maps"][0]["noise"]["sigma"] for entry in entries]
        np.testing.assert_allclose(sigmas, 0.2 * np.ptp(x, axis=(1, 2, 3)), rtol=1e-5)


def test_a_map_does_not_depend_on_the_other_images(explain, picture, maps):
    names = [picture(f"{number}.png", number) for number in range(5)]
    explain(*names)
    together = maps()
    explain(*reversed(names), "--batch-size", 2)
    in_pairs = maps()
    explain(names[3])
    np.testing.assert_allclose(maps()["3"], together["3"], atol=1e-4)
    for key in together:
        np.testing.assert_allclose(in_pairs[key], together[key], atol=1e-4)
    assert np.abs(together["3"] - together["2"]).max() > 0.1


def test_networks_for_any_size_receive_one_size_at_a_time(
    explain, picture, here, maps, manifest, network
):
    network(side=None).save("any.keras")
    names = [picture("a.png", 1, (20, 16)), picture("b.png", 2, (600, 300))]
    names.append(picture("c.png", 3, (600, 300)))
    assert explain(*names, "--model", "any.keras")[0] == 0
    shapes = {key: array.shape for key, array in maps().items()}
    assert shapes == {"a": (20, 16, 1), "b": (512, 256, 1), "c": (512, 256, 1)}
    assert [entry["name"] for entry in manifest()["images"]] == names


def test_images_that_the_network_rejects_are_failures(
    explain, picture, here, manifest, network
):
    network(side=None).save("any.keras")
    names = [picture("tiny.png", 1, (1, 1)), picture("a.png", 2)]
    code, _, err = explain(*names, "--model", "any.keras")
    assert code == 1
    assert "tiny.png could not be explained (" in err
    assert "Traceback" not in err
    assert [entry["name"] for entry in manifest()["images"]] == ["a.png"]
    assert [failure["name"] for failure in manifest()["failures"]] == ["tiny.png"]


def test_memory_holds_one_batch(explain, picture, monkeypatch):
    read, most = [], 0
    load, add = read_images.read_with_picture, explain_images.Report.add

    def counting_load(*arguments):
        nonlocal most
        read.append(load(*arguments))
        most = max(most, len(read))
        return read[-1]

    def counting_add(report, *arguments):
        read.pop()
        add(report, *arguments)

    monkeypatch.setattr(read_images, "read_with_picture", counting_load)
    monkeypatch.setattr(explain_images.Report, "add", counting_add)
    names = [picture(f"{number}.png", number) for number in range(7)]
    assert explain(*names, "--batch-size", 3)[0] == 0
    assert (most, len(read)) == (3, 0)
