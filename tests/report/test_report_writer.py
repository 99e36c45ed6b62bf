import dataclasses
import json
import re

import keras
import numpy as np
import pytest
from PIL import Image

from keras_explainable.report.report_writer import Report


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def add(report, made):
    report.add(report.key(made.name), made)


def test_all_files_are_written(folder, run, explanation):
    with Report(folder, run) as report:
        add(report, explanation(name="trip/cat.jpg", classes=("tabby", "tiger")))
    written = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))
    assert written == [
        *("index.html", "manifest.json", "maps.npz", "panels", "panels/cat.png")
    ]
    with Image.open(folder / "panels" / "cat.png") as panel:
        assert panel.format == "PNG"
    assert "trip/cat.jpg" in report.page.read_text(encoding="utf-8")


def test_the_manifest_holds_all_facts(folder, run, explanation):
    with Report(folder, run) as report:
        add(report, explanation(classes=("tabby", "tiger")))
        report.fail("dog.jpg", "is not an image")
    facts = manifest(folder)
    assert facts["images"] == [
        {
            "name": "cat.jpg",
            "panel": "panels/cat.png",
            "seen": [0, 0, 1, 1],
            "explained": [0, 1],
            "predictions": [
                {"unit": 0, "label": "tabby", "score": 0.75, "probability": True},
                {"unit": 1, "label": "tiger", "score": 0.375, "probability": True},
            ],
            "maps": [
                {
                    "method": "smoothgrad",
                    "key": "cat.smoothgrad",
                    "shape": [4, 6, 2],
                    "signed": False,
                    "noise": {
                        "sigma": 30.0,
                        "id": 7,
                        "repetitions": 50,
                        "relative_error": [0.4, 0.4],
                        "flip_rate": 0.25,
                        "noise_level": 0.15,
                        "estimator": "sampled",
                    },
                }
            ],
        }
    ]
    assert facts["failures"] == [{"name": "dog.jpg", "reason": "is not an image"}]
    assert facts["methods"] == ["smoothgrad"]
    assert facts["interrupted"] is False
    assert facts["seconds"] >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", facts["started"])
    for name in (
        "model",
        "repetitions",
        "noise_level",
        "estimator",
        "tolerance",
        "seed",
        "target",
    ):
        assert facts[name] == getattr(run, name)
    for file in (facts["page"], facts["maps"], facts["images"][0]["panel"]):
        assert (folder / file).is_file()


def test_the_manifest_has_all_versions(folder, run):
    with Report(folder, run):
        pass
    versions = manifest(folder)["versions"]
    backend = keras.backend.backend()
    assert versions["backend"] == backend
    assert versions["keras"] == keras.__version__
    names = {"keras-explainable", "python", "keras", "backend", backend, "numpy"}
    assert set(versions) == names
    assert all(versions[name][0].isdigit() for name in names - {"backend"})


def test_the_maps_are_stored_as_arrays(folder, run, explanation, rng):
    sizes = [(4, 6), (5, 3)]
    made = [
        explanation(size=size, maps=rng.normal(size=(*size, 1)).astype("float32"))
        for size in sizes
    ]
    with Report(folder, run) as report:
        for one in made:
            add(report, one)
    with np.load(folder / "maps.npz") as maps:
        assert list(maps) == [entry["maps"][0]["key"] for entry in report.entries]
        for key, one in zip(maps, made, strict=True):
            assert maps[key].dtype == "float32"
            np.testing.assert_array_equal(maps[key], one.maps[0].values)


def test_images_of_the_same_stem_do_not_overwrite_each_other(folder, run, explanation):
    with Report(folder, run) as report:
        for name in ("a/cat.jpg", "b/cat.png", "b/CAT.gif"):
            add(report, explanation(name=name))
    assert len(list((folder / "panels").iterdir())) == 3
    assert len({entry["maps"][0]["key"].casefold() for entry in report.entries}) == 3


@pytest.mark.parametrize("name", ["../../evil.png", "/etc/evil.png", "..\\evil.png"])
def test_nothing_is_written_elsewhere(folder, run, explanation, name, tmp_path):
    with Report(folder, run) as report:
        add(report, explanation(name=name))
    assert list(tmp_path.iterdir()) == [folder]
    assert (folder / "panels" / "evil.png").is_file()


def interrupted(folder, run, explanation, error):
    with Report(folder, run) as report:
        add(report, explanation())
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_images_added_before_an_interruption_are_written(
    folder, run, explanation, error
):
    with pytest.raises(error):
        interrupted(folder, run, explanation, error)
    facts = manifest(folder)
    assert facts["interrupted"] is True
    assert len(facts["images"]) == 1
    with np.load(folder / "maps.npz") as maps:
        assert list(maps) == ["cat.smoothgrad"]
    assert "The run was interrupted" in (folder / "index.html").read_text("utf-8")


def test_a_new_report_replaces_an_old_one(folder, run, explanation):
    for name in ("cat.jpg", "dog.jpg"):
        with Report(folder, run) as report:
            add(report, explanation(name=name))
    assert [entry["name"] for entry in manifest(folder)["images"]] == ["dog.jpg"]
    assert "cat.jpg" not in report.page.read_text(encoding="utf-8")
    with np.load(folder / "maps.npz") as maps:
        assert list(maps) == ["dog.smoothgrad"]


def test_names_in_any_language_are_written(folder, run, explanation):
    with Report(folder, run) as report:
        add(report, explanation(name="猫.jpg", classes=("chat d’été",)))
    assert manifest(folder)["images"][0]["name"] == "猫.jpg"
    assert "猫" in (folder / "manifest.json").read_text(encoding="utf-8")
    with np.load(folder / "maps.npz") as maps:
        assert list(maps) == ["猫.smoothgrad"]


def test_maps_of_several_methods_have_different_keys(folder, run, explanation):
    methods = ("gradients", "gradcam")
    with Report(folder, dataclasses.replace(run, methods=methods)) as report:
        add(report, explanation(name="cat.gradcam.jpg", methods=methods))
        add(report, explanation(name="cat.jpg", methods=methods))
    with np.load(folder / "maps.npz") as maps:
        assert [*maps] == [
            *("cat.gradcam.gradients", "cat.gradcam.gradcam"),
            *("cat.gradients", "cat.gradcam"),
        ]


def test_two_reports_cannot_be_written_into_one_folder(folder, run, explanation):
    with Report(folder, run) as first:
        add(first, explanation())
        for resume in (False, True):
            with pytest.raises(ValueError, match="must not be in use; another run"):
                Report(folder, run, resume)
    assert len(manifest(folder)["images"]) == 1
    with Report(folder, run) as second:
        add(second, explanation())
    assert not (folder / "unfinished").exists()


def test_a_report_with_failures_can_be_resumed(folder, run, explanation):
    with Report(folder, run) as report:
        report.fail("dog.jpg", "is not an image")
    with Report(folder, run, resume=True) as report:
        add(report, explanation())
    assert not (folder / "unfinished").exists()
