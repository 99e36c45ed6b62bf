"""The command that scores maps: its files, its errors, and unfinished runs."""

import inspect
import json
import re

import numpy as np
import pytest
from PIL import Image

import keras_explainable as ke
from keras_explainable.cli import evaluate_images, evaluation_settings, settings
from keras_explainable.metrics.orientation import lower_is_better

QUICK = ("--method", "gradients,gradcam", "--metric", "sparseness,complexity")


@pytest.fixture
def evaluate(command, model_file, here):
    """Evaluate with the small network, into the folder ``out``."""

    def run(*arguments, quick=QUICK):
        given = ("--model", model_file, "--out", "out")
        return command("evaluate", *given, *quick, *arguments)

    return run


@pytest.fixture
def scores(here):
    return lambda: ke.Evaluation.load(here / "out" / "evaluation.npz")


@pytest.fixture
def pictures(picture):
    return [picture(f"{number}.png", number, (12, 12)) for number in range(6)]


def test_names_of_metrics_are_those_of_the_library():
    every = {name: getattr(ke.metrics, name) for name in ke.metrics.__all__}
    known = {name: x for name, x in every.items() if hasattr(x, "higher_is_better")}
    del known["focus"]  # It needs mosaics.
    assert {*evaluation_settings.METRICS} == {*known}
    takers = {x for x in known if "masks" in inspect.signature(known[x]).parameters}
    assert {*evaluation_settings.MASK_METRICS} == takers


def test_scores_are_those_of_evaluate(evaluate, pictures, scores, here, manifest):
    code, out, err = evaluate(*pictures, quick=("--method", "gradients,smoothgrad",
        "--metric", "deletion,sparseness", "--repetitions", 2, "--target", "top2",
        "--seed", 3))  # fmt: skip
    assert (code, "6 of 6 images" in err) == (0, True)
    found = scores()
    assert str(found) in out
    assert "6 scored in" in out
    assert found.methods[:2] == ("gradients", "smoothgrad")
    assert [*found.curves] == ["deletion"]
    assert found.samples.shape == (6, 2, 2, 6)
    facts = manifest()
    assert facts["seeds"] == 2
    entry = facts["images"][4]
    assert (entry["name"], len(entry["explained"])) == ("4.png", 2)
    np.testing.assert_allclose(
        [entry["scores"][name]["sparseness"] for name in found.methods],
        found.scores[:, 1, 4],
    )
    page = (here / "out" / "index.html").read_text("utf-8")
    for text in ("SmoothGrad", "random map (control)", "<svg", "All 15 pairs", "↓"):
        assert text in page
    assert not (here / "out" / "unfinished").exists()


def test_scores_do_not_depend_on_the_other_images(evaluate, pictures, scores):
    metric = ("--method", "gradients", "--metric", "insertion", "--no-controls")
    evaluate(*pictures, quick=metric)
    whole = scores()
    evaluate(*pictures[:1:-1], "--batch-size", 2, quick=metric)
    some = scores()
    assert some.methods == ("gradients",)
    np.testing.assert_array_equal(some.ids, whole.ids[:1:-1])
    np.testing.assert_allclose(some.samples, whole.samples[..., :1:-1], 1e-4, 1e-6)


def test_an_interrupted_run_is_resumed(
    evaluate, pictures, scores, manifest, here, monkeypatch
):
    evaluate(*pictures, "--batch-size", 2)
    expected = scores()
    compute, calls = ke.evaluate, []

    def stopping(*data, **options):
        calls.append(len(data[2]))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return compute(*data, **options)

    monkeypatch.setattr(evaluate_images.ke, "evaluate", stopping)
    code, out, _ = evaluate(*pictures, "--batch-size", 2)
    assert (code, len(scores().ids), manifest()["interrupted"]) == (130, 4, True)
    assert "Interrupted: 4 scored" in out
    assert "interrupted" in (here / "out" / "index.html").read_text("utf-8")
    code, _, err = evaluate(*pictures, "--batch-size", 2, "--seeds", 3, "--resume")
    assert code == 2
    assert "changed: seeds." in err
    assert evaluate(*pictures, "--batch-size", 2, "--resume")[0] == 0
    assert calls == [2, 2, 2, 2]
    np.testing.assert_array_equal(scores().samples, expected.samples)
    np.testing.assert_array_equal(scores().ids, expected.ids)


def test_ctrl_c_within_images_drops_them(evaluate, pictures, scores, monkeypatch):
    @lower_is_better
    def complexity(maps):
        seen.append(len(maps))
        if len(seen) == 9:  # Two methods, four controls, of which one is drawn twice.
            raise KeyboardInterrupt
        return np.ones(len(maps))

    seen = []
    monkeypatch.setattr(ke.metrics, "complexity", complexity)
    code, out, err = evaluate(*pictures, "--batch-size", 2)
    assert code == 130
    assert len(scores().ids) == 2
    assert "2 scored" in out
    assert "Stopped at" not in err


def test_equal_images_have_scores_of_their_own(evaluate, picture, scores):
    names = [picture(name, 1, (12, 12)) for name in ("a.png", "b.png")]
    assert evaluate(*names)[0] == 0
    assert np.diff(scores().ids).tolist() == [1]


def test_images_that_fail_are_listed(evaluate, pictures, here, manifest):
    (here / "bad.png").write_bytes(b"no picture")
    code, out, err = evaluate("bad.png", *pictures)
    assert (code, "6 scored, 1 failed" in out) == (1, True)
    assert manifest()["failures"][0]["name"] == "bad.png"
    assert "could not be scored" in (here / "out" / "index.html").read_text("utf-8")
    code, _, err = evaluate(
        *pictures,
        quick=(
            "--method",
            "attention_rollout",
        ),
    )
    assert code == 1
    assert "could not be scored" in err


def test_masks_are_fitted_like_images(evaluate, here, scores):
    """A map that is large on the left half, and masks of either half."""
    (here / "masks").mkdir()
    for name, side in (("left", slice(4, 10)), ("right", slice(10, 16))):
        pixels = np.zeros((12, 20, 3), "uint8")
        pixels[:, :10] = 200  # Only brightness is scored, which is a control.
        Image.fromarray(pixels).save(here / f"{name}.png")
        mask = np.zeros((12, 20), "uint8")
        mask[:, side] = 1
        Image.fromarray(mask).save(here / "masks" / f"{name}.gif")
    metric = ("--method", "gradients", "--metric", "auc,pointing_game")
    code, *_ = evaluate("left.png", "right.png", "--masks", "masks", quick=metric)
    assert code == 0
    brightness = scores().scores[scores().methods.index("brightness")]
    np.testing.assert_array_equal(brightness, [[1, 0], [1, 0]])


def test_bundled_images_have_masks(command, here):
    code, out, _ = command("evaluate", "--metric", "auc", "--method", "gradients",
        "--no-controls", "--out", "out")  # fmt: skip
    assert code == 0
    assert "12 scored" in out
    assert float(out.split("gradients  ")[1].split()[0]) > 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--metric", "delition"), "--metric must be one of .*delition; did you mean"),
        (("--metric", "auc,auc"), "--metric must be a list without repeats"),
        (("--metric", "auc"), "--masks must be a folder .* for --metric auc; it is"),
        (("--masks", "masks"), "--masks must be omitted with --metric sparse"),
        (("--seeds", 0), "--seeds must be at least 1; received 0"),
        (("--seed", -1), "--seed must be 0 or more"),
        (("--method", "grad"), "--method must be one of the methods"),
        (("--layer", "x", "--method", "gradients"), "--layer must be omitted"),
        (("--metric", "auc", "--masks", "none"), "--masks must be a folder; received"),
        (
            ("--metric", "auc", "--masks", "masks"),
            "no masks/0.png for 0.png and 5",
        ),
    ],
)
def test_wrong_options_are_one_error(evaluate, pictures, here, options, message):
    (here / "masks").mkdir()
    code, out, err = evaluate(*pictures, *options)
    assert (code, out) == (2, "")
    [line] = err.splitlines()
    assert re.search(message, line)
    assert not (here / "out" / "manifest.json").exists()


def test_masks_of_bundled_images_cannot_be_given(command, here):
    (here / "masks").mkdir()
    code, _, err = command("evaluate", "--metric", "auc", "--masks", "masks")
    assert code == 2
    assert "must be omitted with the bundled images" in err


def test_every_method_can_be_scored():
    for name in settings.METHODS:
        maps = settings.Settings(method=name)
        [found] = evaluation_settings.EvaluationSettings(maps).methods()
        assert found == name


def test_the_manifest_has_no_nan(evaluate, picture, here):
    name = picture("grey.png", 0, (12, 12))
    Image.new("RGB", (12, 12)).save(here / name)  # Its brightness is 0 everywhere.
    assert evaluate(name)[0] == 0
    text = (here / "out" / "manifest.json").read_text("utf-8")
    scores = json.loads(text, parse_constant=pytest.fail)["images"][0]["scores"]
    assert scores["brightness"]["sparseness"] is None


def test_the_target_is_a_name_of_class_names(evaluate, pictures, manifest, here):
    (here / "names.txt").write_text("cat\ndog\nape\nbee", encoding="utf-8")
    names = ("--class-names", "names.txt")
    code, _, err = evaluate(*pictures[:1], *names, "--target", "ape")
    assert code == 0, err
    assert manifest()["images"][0]["explained"] == [2]
    code, _, err = evaluate(*pictures[:1], *names, "--target", "bear")
    assert code == 2
    assert "received bear. The model has 4 classes ['cat', 'dog', 'ape', 'bee']" in err
