"""The command as a whole, run on a small network in this process."""

import html
import zlib

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from typer.testing import CliRunner

import keras_explainable as ke
from keras_explainable.cli import (
    evaluation_settings,
    explain_images,
    main,
    read_images,
)
from keras_explainable.cli.app import app
from keras_explainable.cli.settings import METHODS, NOISE_METHODS


def test_the_help_fits_80_columns_with_one_line_per_option(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    result = CliRunner().invoke(app, ["explain", "--help"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for option, default in (
        *(("--model", "demo"), ("--method", "smoothgrad"), ("--target", "top1")),
        *(("--repetitions", "64"), ("--noise-level", "0.15"), ("--seed", "0")),
        *(("--estimator", "auto"), ("--tolerance", "none")),
        *(("--batch-size", "32"), ("--preprocess", "none"), ("--out", "explanations")),
    ):
        assert any(f" {option} " in x and f"[default: {default}]" in x for x in lines)
    examples = [x.strip() for x in lines if x.startswith(" keras-explainable explain")]
    assert len(examples) == 5


def test_the_help_of_evaluate_fits_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    result = CliRunner().invoke(app, ["evaluate", "--help"])
    assert result.exit_code == 0
    words = result.stdout.split()
    assert max(map(len, result.stdout.splitlines())) <= 80
    for name in evaluation_settings.METRICS:
        assert {name, f"{name},", f"{name};", f"{name}."} & {*words}


def test_the_version(command):
    assert command("--version") == (0, f"keras-explainable {ke.__version__}\n", "")


def test_without_a_command_there_is_help(command):
    code, out, err = command()
    assert "explain" in out + err
    assert code in (0, 2)


def test_missing_packages_are_named(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r'pip install "keras-explainable\[cli\]"'):
        main(["explain"])


def test_a_folder_of_pictures(explain, picture, here, manifest, maps):
    for number in range(3):
        picture(f"trip/{number}.png", number)
    code, out, err = explain("trip", "--target", "top3", "--seed", 4)
    assert code == 0
    assert "3 explained in" in out
    assert "See out/index.html" in out
    facts = manifest()
    assert facts["failures"] == []
    assert [entry["name"] for entry in facts["images"]] == [
        f"trip/{number}.png" for number in range(3)
    ]
    for entry in facts["images"]:
        best = entry["predictions"][0]
        assert f"{100 * best['score']:.1f} %" in out
        assert entry["explained"] == [one["unit"] for one in entry["predictions"][:3]]
        assert sum(one["score"] for one in entry["predictions"]) == pytest.approx(1)
        assert maps()[entry["name"][5:6]].shape == (12, 12, 3)
        with Image.open(here / "out" / entry["panel"]) as panel:
            assert panel.width > 3 * 256  # Of 320 x 256 pixels each.
    assert facts["seed"] == 4
    assert "3 of 3 images" in err


def test_the_noise_follows_from_the_picture(explain, picture, manifest):
    name = picture("a.png")
    explain(name)
    pixels = read_images.read(name, (12, 12))
    assert manifest()["images"][0]["maps"][0]["noise"]["id"] == zlib.crc32(
        pixels.tobytes()
    )


def test_a_tolerance_needs_fewer_copies(explain, picture, manifest):
    name = picture("a.png")
    assert explain(name, "--tolerance", 0.9, repetitions=400)[0] == 0
    noise = manifest()["images"][0]["maps"][0]["noise"]
    assert 4 <= noise["repetitions"] < 400
    assert noise["relative_error"][0] <= 0.9
    assert manifest()["tolerance"] == 0.9


def test_the_estimator_option_applies_to_smoothgrad_only(
    explain, picture, manifest, here
):
    name, found = picture("a.png"), []
    for estimator in ("sampled", "hybrid"):
        options = ("--method", "smoothgrad,vargrad", "--estimator", estimator)
        assert explain(name, *options, repetitions=8)[0] == 0
        assert manifest()["estimator"] == estimator
        with np.load(here / "out" / "maps.npz") as file:
            found.append(dict(file))
    for method, differs in (("smoothgrad", True), ("vargrad", False)):
        first, second = (each[f"a.{method}"] for each in found)
        assert (np.abs(first - second).max() > 0.01) == differs


def test_manifest_and_page_say_which_estimator_was_taken(
    explain, picture, manifest, here
):
    for repetitions, estimator in ((4, "hybrid"), (3, "sampled")):
        explain(picture("a.png"), repetitions=repetitions)
        assert manifest()["estimator"] == "auto"
        noise = manifest()["images"][0]["maps"][0]["noise"]
        assert noise["estimator"] == estimator
        page = (here / "out" / "index.html").read_text(encoding="utf-8")
        assert f"<dt>Estimator</dt><dd>{estimator}</dd>" in page


def test_the_error_of_slopes_is_unknown(explain, picture, manifest):
    explain(picture("a.png"), "--estimator", "slopes", repetitions=4)
    assert manifest()["images"][0]["maps"][0]["noise"]["relative_error"] == [None]


def test_the_error_of_one_copy_is_null(explain, picture, manifest):
    explain(picture("a.png"), repetitions=1)
    assert manifest()["images"][0]["maps"][0]["noise"]["relative_error"] == [None]


def test_gradients_need_no_noise(explain, picture, manifest, maps):
    assert explain(picture("a.png"), "--method", "gradients", repetitions=None)[0] == 0
    facts = manifest()
    for name in ("repetitions", "noise_level", "seed"):
        assert facts[name] is None
    assert facts["images"][0]["maps"][0]["noise"] is None
    assert maps()["a"].max() == 1


@pytest.mark.parametrize("method", METHODS)
def test_every_method(explain, picture, maps, method):
    few = 2 if method in NOISE_METHODS else None
    code, _, err = explain(picture("a.png"), "--method", method, repetitions=few)
    refused = {"guided_gradients": "must have ReLUs"}
    refused |= dict.fromkeys(ke.methods.attention.__all__, "must have attention")
    if method in refused:  # The network has neither.
        assert code == 1
        assert refused[method] in err
    else:
        assert code == 0
        assert maps()["a"].shape == (12, 12, 1)
        assert np.abs(maps()["a"]).max() <= 1.001
        signed = {"attnlrp", "input_x_gradient", "integrated_gradients", "occlusion"}
        assert maps()["a"].min() >= 0 or method in signed
        # Every channel of this network may count against the class.
        assert maps()["a"].max() > 0 or method == "scorecam"


def test_attention_of_a_transformer(command, picture, here):
    inputs = keras.Input((12, 12, 3))
    x = layers.Conv2D(8, 4, 4)(layers.Rescaling(1 / 255)(inputs))
    x = layers.Reshape((9, 8))(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)])
    x = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling1D()(x))
    keras.Model(inputs, x).save(here / "vit.keras")
    given = "--model", "vit.keras", "--out", "out", "--method"
    names = ",".join(ke.methods.attention.__all__)
    assert command("explain", *given, names, picture("a.png"))[0] == 0
    with np.load(here / "out" / "maps.npz") as file:
        maps = dict(file)
    assert len(maps) == len(ke.methods.attention.__all__)
    for each in maps.values():
        assert each.shape == (12, 12, 1)
        assert each.max() > 0


def test_several_methods_at_once(explain, picture, manifest, here):
    names = [picture("a.png", 1), picture("b.png", 2)]
    methods = "vargrad,gradcam,integrated_gradients"
    assert explain(*names, "--method", methods, "--target", "top2")[0] == 0
    facts = manifest()
    assert facts["methods"] == methods.split(",")
    assert facts["repetitions"] == 2
    assert f"<dd>{facts['layer']}</dd>" in (here / "out" / "index.html").read_text()
    with np.load(here / "out" / "maps.npz") as file:
        together = dict(file)
    for entry in facts["images"]:
        assert [maps["method"] for maps in entry["maps"]] == methods.split(",")
        assert [maps["noise"] is None for maps in entry["maps"]] == [False, True, True]
        assert [maps["signed"] for maps in entry["maps"]] == [False, False, True]
    assert [*together] == [m["key"] for e in facts["images"] for m in e["maps"]]
    assert (
        explain(*names, "--method", "gradcam", "--target", "top2", repetitions=None)[0]
        == 0
    )
    with np.load(here / "out" / "maps.npz") as file:
        np.testing.assert_array_equal(file["b.gradcam"], together["b.gradcam"])


def test_the_magnitude_of_signed_maps_is_the_map_of_the_library(
    explain, picture, maps, model_file
):
    name = picture("a.png")
    assert (
        explain(
            name, "--method", "input_x_gradient", "--target", "1", repetitions=None
        )[0]
        == 0
    )
    x = np.asarray(read_images.read(name, (12, 12)), "float32")[None]
    model = keras.models.load_model(model_file)
    raw = ke.explain(ke.methods.gradient.input_x_gradient, model, x, [1], verbose=0)[1]
    np.testing.assert_allclose(maps()["a"], (raw / np.abs(raw).max())[0], atol=1e-5)


def test_one_class_by_its_index(explain, picture, manifest):
    assert explain(picture("a.png"), "--target", "2")[0] == 0
    assert manifest()["images"][0]["explained"] == [2]


def test_failures_are_listed_and_the_other_images_explained(
    explain, picture, here, manifest
):
    good, bad = picture("good.png", 1), here / "bad.jpg"
    bad.write_bytes(b"no picture")
    half = here / "half.png"
    half.write_bytes((here / good).read_bytes()[:300])
    code, out, err = explain("bad.jpg", good, "half.png")
    assert code == 1
    assert "1 explained, 2 failed in" in out
    assert "bad.jpg is not an image" in err
    assert "half.png cannot be read as an image" in err
    facts = manifest()
    assert [entry["name"] for entry in facts["images"]] == [good]
    assert [failure["name"] for failure in facts["failures"]] == ["bad.jpg", "half.png"]
    page = (here / "out" / "index.html").read_text("utf-8")
    assert "2 images could not be explained" in page


def test_all_images_fail(explain, picture, here, manifest):
    whole = (here / picture("bad.png")).read_bytes()
    (here / "bad.png").write_bytes(whole[: len(whole) // 2])
    code, out, _ = explain("bad.png")
    assert code == 1
    assert "0 explained, 1 failed" in out
    assert manifest()["images"] == []


def test_the_same_name_in_two_folders(explain, picture, here, maps):
    names = [picture("a/cat.png", 1), picture("b/cat.png", 2), picture("b/cat.bmp", 3)]
    assert explain(*names)[0] == 0
    panels = {path.read_bytes() for path in (here / "out" / "panels").iterdir()}
    assert len(panels) == len(maps()) == 3


def test_hostile_names_are_shown_as_text(explain, picture, here, manifest):
    name = picture("[red]<img src=x onerror=alert(1)>[.png")
    code, out, _ = explain(name)
    assert code == 0
    assert name in out.replace("\n", "")
    page = (here / "out" / "index.html").read_text("utf-8")
    assert name not in page
    assert html.escape(name) in page
    assert {path.name for path in here.iterdir()} == {name, "out"}


def interrupt_after(monkeypatch, calls):
    """Press Ctrl-C while the maps of a later batch are computed."""
    compute, done = explain_images._compute_maps, []

    def interrupted(*arguments):
        if len(done) == calls:
            raise KeyboardInterrupt
        done.append(1)
        return compute(*arguments)

    monkeypatch.setattr(explain_images, "_compute_maps", interrupted)


def test_images_completed_before_ctrl_c_are_written(
    explain, picture, manifest, maps, monkeypatch
):
    names = [picture(f"{number}.png", number) for number in range(6)]
    interrupt_after(monkeypatch, calls=2)
    code, out, _ = explain(*names, "--batch-size", 2)
    assert code == 130
    assert "Interrupted: 4 explained" in out
    assert manifest()["interrupted"] is True
    assert [entry["name"] for entry in manifest()["images"]] == names[:4]
    assert len(maps()) == 4


def test_a_full_disk_is_one_sentence(explain, picture, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(explain_images.Report, "add", full)
    code, _, err = explain(picture("a.png"))
    assert code == 1
    assert "Error: [Errno 28] No space left on device; completed images are kept" in err
    assert "Traceback" not in err


WRONG = [
    (["nothing.png"], "nothing.png does not exist"),
    (["empty"], "empty is a folder without images (.bmp, .gif"),
    (["out/panels/a.png"], "is in the output folder; choose another"),
    (["a.png", "--method", "lime"], "--method must be one of the methods in --help"),
    (["a.png", "--method", "gradcm"], "did you mean gradcam, gradcampp or"),
    (["a.png", "--layer", "b"], "--layer must be omitted without a class activation"),
    (["a.png", "--resize", "squash"], "one of crop, stretch, pad; received squash."),
    (["a.png", "--format", "gif"], "--format must be one of png, jpeg, webp"),
    (["--model", "demo", "--resize", "pad"], "--resize must be omitted with the bundl"),
    (["a.png", "--class-names", "a.png"], "--class-names must be a text file with"),
    (["a.png", "--class-names", "no.txt"], "no.txt: No such file"),
    (["text.png"], "text.png is not an image or has an unknown format; no image is"),
    (["a.png", "--target", "4"], "--target must be below 4"),
    (["a.png", "--target=-1"], "--target must be top1, top3, the index"),
    (["a.png", "--repetitions", "0"], "--repetitions must be at least 1"),
    (["a.png", "--noise-level=-0.1"], "--noise-level must be 0 or more"),
    (["a.png", "--model", "no.keras"], "Model file no.keras does not exist"),
    (["a.png", "--model", "a.h5"], "is damaged or not a Keras model"),
    (["a.png", "--model", "rezned50"], "did you mean ResNet50"),
    (["a.png", "--model", "demo", "--preprocess", "tf"], "is for model files"),
    (["a.png", "--preprocess", "zero"], "--preprocess must be one of none, unit"),
    (["a.png", "--out", "a.png"], "Output folder a.png is not writable"),
    (["a.png", "--out", "a.png/sub"], "Output folder a.png/sub is not writable"),
    ([], "Pass images or folders to explain with"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_wrong_usage_is_one_sentence(explain, picture, here, arguments, message):
    picture("a.png")
    (here / "empty").mkdir()
    (here / "a.h5").write_bytes(b"no model")
    (here / "text.png").write_text("text")
    picture("out/panels/a.png")
    code, out, err = explain(*arguments)
    assert (code, out) == (2, "")
    error = [line for line in err.splitlines() if not line.startswith("Loading")]
    assert len(error) == 1
    assert message in error[0]
    assert not (here / "out" / "index.html").exists()


@pytest.mark.parametrize("arguments", [["--repetitions", "many"], ["--tagret", "top3"]])
def test_unknown_options_and_invalid_numbers(explain, arguments):
    code, out, err = explain(*arguments)
    assert (code, out) == (2, "")
    assert arguments[0] in err
    assert "Traceback" not in err


def test_many_images_make_a_short_table(explain, picture, here):
    same = here / picture("a.png")
    for number in range(22):
        (here / f"{number:02}.png").write_bytes(same.read_bytes())
    same.unlink()
    code, out, _ = explain(here, repetitions=1)
    assert code == 0
    assert "19.png" in out
    assert "20.png" not in out
    assert "and 2 more on the page" in out


def test_the_output_folder_may_be_below_the_input(explain, picture, manifest):
    picture("a.png")
    for _ in range(2):  # The second run must not explain the panels of the first.
        assert explain(".")[0] == 0
        assert [entry["name"] for entry in manifest()["images"]] == ["a.png"]


def test_maps_are_normalised(explain, picture, maps):
    explain(picture("a.png"))
    assert maps()["a"].min() == 0
    assert maps()["a"].max() == 1
    assert np.isfinite(maps()["a"]).all()
