"""Maps of many processes are those of one."""

import os
import signal
import tarfile

import keras
import numpy as np
import pytest
import ray
from keras import layers, ops
from PIL import Image

import keras_explainable as ke
from keras_explainable.distributed.image_batch import decoded
from keras_explainable.distributed.image_files import read_paths
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth

pytestmark = pytest.mark.ray

#: Antithetic copies are cut between pairs only.
METHOD = smooth(gradients, 10, noise=0.5, seed=3, antithetic=True)


def by_id(result):
    rows = result.take_all()
    assert len({row["path"] for row in rows}) == len(rows)
    return {row["path"]: row for row in rows}


def assert_equal(rows, explanation, paths):
    assert {*rows} == {*paths}
    for name in ("maps", "logits", "units"):
        found = np.stack([rows[path][name] for path in paths])
        np.testing.assert_allclose(found, getattr(explanation, name), 1e-4, 1e-6)


@pytest.fixture(scope="module")
def in_one_process(build, images):
    x, ids = np.stack([*images.values()]), ke.distributed.noise_ids(images)
    given = {"ids": ids, "verbose": 0, "return_stats": True}
    return ke.explain(METHOD, build(), x, "predicted", **given)


@pytest.mark.parametrize(("workers", "parts"), [(1, 1), (3, 1), (2, 3)])
def test_maps_of_one_process(build, images, dataset, in_one_process, workers, parts):
    given = {"id_column": "path", "workers": workers, "parts": parts, "batch_size": 3}
    result = ke.distributed.explain(
        dataset(images), METHOD, build, "predicted", return_stats=True, **given
    )
    rows = by_id(result)
    assert_equal(rows, in_one_process, images)
    found = np.stack([rows[path]["predictions"] for path in images])
    outputs = build()(np.stack([*images.values()]))
    np.testing.assert_allclose(found, ops.convert_to_numpy(outputs), 1e-4, 1e-6)
    for name in ("relative_error", "flip_rate", "repetitions", "sigma"):
        found = np.stack([rows[path][name] for path in images])
        expected = getattr(in_one_process.stats, name)
        np.testing.assert_allclose(found, expected, 1e-3, 1e-6)


def test_a_shortcut_a_file_and_units_of_each_image(build, images, dataset, tmp_path):
    model, ids = build(), ke.distributed.noise_ids(images)
    model.save(tmp_path / "net.keras")
    data = dataset(images | {"0 cut.png": images["0.png"][:4]})
    labelled = data.map(lambda row: {**row, "label": int(row["path"][0]) % 5})
    result = ke.distributed.explain(
        labelled,
        ke.vargrad,
        tmp_path / "net.keras",
        id_column="path",
        unit_column="label",
        repetitions=6,
        parts=2,
    )
    y = [int(path[0]) % 5 for path in images]
    x, given = np.stack([*images.values()]), {"ids": ids, "repetitions": 6}
    expected = ke.vargrad(model, x, y, verbose=0, **given)
    rows = by_id(result)
    wrong = rows.pop("0 cut.png")
    assert wrong["failure"] == "must have the shape (8, 8, 3); received (4, 8, 3)."
    assert np.isnan(wrong["maps"]).all()
    assert_equal(rows, expected, images)


def test_failures_are_in_their_rows_and_a_killed_worker_is_replaced(
    images, dataset, tmp_path
):
    """The model is sent as an object, with code in a layer; one worker dies once."""
    inputs = keras.Input((None, None, 3))
    x = layers.Lambda(lambda x: x * x)(layers.Conv2D(2, 3)(inputs))
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(x))

    def prepare(image):
        marker = tmp_path / "killed"
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return decoded(image)

    def spoiled(row):
        place = int(row["path"][0])
        wrong = {2: b"no image", 5: row["image"][0].tobytes()}
        wide = np.concatenate([row["image"]] * 2, 1)
        return {**row, "image": wrong.get(place, wide if place == 7 else row["image"])}

    shown = {path: spoiled({"path": path, "image": x}) for path, x in images.items()}
    data = ray.data.from_items([*shown.values()], override_num_blocks=2)
    given = {"id_column": "path", "batch_size": 5, "prepare": prepare}
    rows = by_id(
        ke.distributed.explain(data, ke.gradients, model, "predicted", **given)
    )
    failed = {path: row["failure"] for path, row in rows.items() if row["failure"]}
    assert sorted(failed) == ["2.png", "5.png"]
    assert all("identify image" in reason for reason in failed.values())
    assert all(np.isnan(rows[path]["maps"]).all() for path in failed)
    assert rows["7.png"]["maps"].shape == (8, 16, 1)
    _, maps = ke.gradients(model, images["3.png"][None], "predicted", verbose=0)
    np.testing.assert_allclose(rows["3.png"]["maps"], maps[0], 1e-4, 1e-6)


def test_paths_of_parquet_files_and_of_tars(images, dataset, tmp_path):
    dataset(images).write_parquet(tmp_path / "all.parquet")
    rows = read_paths(tmp_path / "all.parquet", "path", "image").take_all()
    found = {row["path"]: row["image"] for row in rows}
    np.testing.assert_equal(found, images)
    pixels = np.arange(48, dtype="uint8").reshape(4, 4, 3)
    Image.fromarray(pixels).save(tmp_path / "7.png")
    (tmp_path / "7.cls").write_text("5")
    with tarfile.open(tmp_path / "some.tar", "w") as tar:
        for name in ("7.png", "7.cls"):
            tar.add(tmp_path / name, name)
    (row,) = read_paths([f"{tmp_path}/some.tar"], "__key__", "png").take_all()
    assert (row["__key__"], row["cls"]) == ("7", 5)
    np.testing.assert_array_equal(decoded(row["png"]), pixels)


def test_a_damaged_file_in_a_folder_of_500(build, tmp_path):
    """They are read from their paths; ids are the paths."""
    folder, drawn = tmp_path / "photos", np.random.default_rng(0)
    (folder / "more").mkdir(parents=True)
    pixels = drawn.integers(0, 256, (500, 8, 8, 3), "uint8")
    files = [folder / f"{'more/' * (n % 2)}{n}.png" for n in range(len(pixels))]
    for file, own in zip(files, pixels, strict=True):
        Image.fromarray(own).save(file)
    files[77].write_bytes(files[77].read_bytes()[:60])
    (folder / "notes.txt").touch()
    with pytest.warns(UserWarning, match=r"^1 images could not be explained.*77\.png"):
        result = ke.distributed.explain(
            folder,
            ke.gradients,
            build,
            "predicted",
            id_column="file",
            output=tmp_path / "out",
        )
    maps = {row["file"]: row["maps"] for row in result.take_all()}
    whole = [n for n in range(len(pixels)) if n != 77]
    x = pixels[whole].astype("float32")
    _, expected = ke.gradients(build(), x, "predicted", verbose=0)
    found = np.stack([maps.pop(str(files[n])) for n in whole])
    np.testing.assert_allclose(found, expected, 1e-4, 1e-6)
    assert not maps
