"""Unfinished runs, and runs that resume them."""

import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from keras_explainable.cli import explain_images
from keras_explainable.report import atomic_files
from keras_explainable.report.report_writer import Report

NAMES = [f"{number}.png" for number in range(6)]
START = "from keras_explainable.cli import main; main()"


@pytest.fixture
def pictures(picture):
    return [picture(name, number) for number, name in enumerate(NAMES)]


@pytest.fixture
def stop_after(monkeypatch):
    """Raise an error at a later batch; return the sizes of the batches before it."""

    def stop(calls, error=KeyboardInterrupt):
        monkeypatch.undo()
        compute, done = explain_images._compute_maps, []

        def stopping(model, inputs, *arguments):
            if len(done) == calls:
                raise error
            done.append(len(inputs))
            return compute(model, inputs, *arguments)

        monkeypatch.setattr(explain_images, "_compute_maps", stopping)
        return done

    return stop


def facts_of(manifest):
    times = ("started", "seconds")
    return {key: value for key, value in manifest().items() if key not in times}


def test_a_resumed_run_equals_an_uninterrupted_one(
    explain, pictures, here, manifest, maps, stop_after, monkeypatch
):
    monkeypatch.chdir(here)
    options = ("--batch-size", 2, "--seed", 3)
    assert explain(*pictures, *options)[0] == 0
    expected, arrays = facts_of(manifest), maps()
    panels = {p.name: p.read_bytes() for p in (here / "out/panels").iterdir()}
    assert not (here / "out" / "unfinished").exists()
    stop_after(2)
    monkeypatch.chdir(here)
    assert explain(*pictures, *options)[0] == 130
    assert len(manifest()["images"]) == 4
    done = stop_after(-1)
    monkeypatch.chdir(here)
    code, out, _ = explain(*pictures, *options, "--resume")
    assert (code, done) == (0, [2])  # The last two of six.
    assert f"6 explained in {manifest()['seconds']:.1f} s" in out
    assert facts_of(manifest) == expected
    assert list(maps()) == list(arrays)
    for key, array in maps().items():
        np.testing.assert_array_equal(array, arrays[key])
    assert panels == {p.name: p.read_bytes() for p in (here / "out/panels").iterdir()}
    page = (here / "out" / "index.html").read_text("utf-8")
    assert page.count("<article") == 6
    assert "interrupted" not in page
    assert not (here / "out" / "unfinished").exists()


@pytest.fixture
def stopped(explain, pictures, here, stop_after, monkeypatch):
    """Stop a run after four of six images; return the batches computed after that."""
    stop_after(4)
    monkeypatch.chdir(here)
    assert explain(*pictures, "--batch-size", 1)[0] == 130
    done = stop_after(-1)
    monkeypatch.chdir(here)
    return done


def test_without_resume_all_images_are_explained_again(explain, pictures, stopped):
    assert explain(*pictures, "--batch-size", 1)[0] == 0
    assert len(stopped) == 6


def test_changed_images_are_explained_again(explain, pictures, picture, stopped):
    picture(NAMES[1], 77)
    assert explain(*pictures, "--batch-size", 1, "--resume")[0] == 0
    assert len(stopped) == 3


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "gone"])
def test_damaged_results_are_computed_again(explain, pictures, stopped, here, damage):
    file = here / "out" / "unfinished" / "2.npz"
    content = bytearray(file.read_bytes())
    place = content.index(b"panel.npy") + 500
    content[place] ^= 1
    damaged = {"cut": content[: len(content) // 2], "flip": content, "empty": b""}
    file.write_bytes(damaged.get(damage, b""))
    if damage == "gone":
        file.unlink()
    assert explain(*pictures, "--batch-size", 1, "--resume")[0] == 0
    assert len(stopped) == 3


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        (("--seed", 5), "seed"),
        (("--target", "top2"), "target"),
        (("--method", "smoothgrad,gradients"), "methods"),
    ],
)
def test_other_settings_are_refused(
    explain, pictures, stopped, manifest, options, changed
):
    before = manifest()
    code, out, err = explain(*pictures, "--batch-size", 1, *options, "--resume")
    assert (code, out, stopped) == (2, "", [])
    assert "--resume must be used with the settings of the unfinished run in out" in err
    assert err.endswith(f"; changed: {changed}.\n")
    assert manifest() == before


def test_other_weights_are_refused(explain, pictures, stopped, model_file, here):
    model = keras.models.load_model(model_file)
    model.layers[-1].kernel.assign(model.layers[-1].kernel + 0.1)
    model.save(here / "net.keras")
    more = ("--batch-size", 1, "--model", here / "net.keras", "--resume")
    code, _, err = explain(*pictures, *more)
    assert (code, stopped) == (2, [])
    assert "model_hash" in err


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"[1]", b"\xff", b"[" * 99999])
def test_a_damaged_run_record_is_one_error_sentence(
    explain, pictures, stopped, here, content
):
    (here / "out" / "unfinished" / "run.json").write_bytes(content)
    code, out, err = explain(*pictures, "--batch-size", 1, "--resume")
    assert (code, out) == (2, "")
    assert "--resume" in err.splitlines()[-1]
    assert explain(*pictures, "--batch-size", 1)[0] == 0


def test_failed_images_are_tried_again(explain, picture, here, manifest, stop_after):
    picture("good.png", 1)
    (here / "bad.png").write_bytes(b"no picture")
    assert explain("bad.png", "good.png")[0] == 1
    assert (here / "out" / "unfinished").exists()
    picture("bad.png", 2)
    code, out, _ = explain("bad.png", "good.png", "--resume")
    assert (code, "2 explained" in out) == (0, True)
    assert [entry["name"] for entry in manifest()["images"]] == ["bad.png", "good.png"]


def test_resume_without_an_unfinished_run_starts_one(explain, pictures, manifest):
    assert explain(*pictures, "--resume")[0] == 0
    assert len(manifest()["images"]) == 6


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_killed_run_keeps_completed_images_and_resumes(
    explain, pictures, here, model_file, manifest, maps, stop_after, monkeypatch
):
    explain(*pictures[:1])
    old = {p: p.read_bytes() for p in (here / "out").rglob("*") if p.is_file()}
    options = ["--repetitions", 40, "--batch-size", 1, "--model", model_file]
    command = [sys.executable, "-c", START, "explain", *pictures, *options]
    command = [*map(str, command), "--out", "out"]
    process = subprocess.Popen(command, cwd=here, stderr=subprocess.DEVNULL)
    unfinished = here / "out" / "unfinished"
    while len(list(unfinished.glob("*.npz"))) < 2:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert {path: path.read_bytes() for path in old} == old
    complete = list(unfinished.glob("*.npz"))
    for path in complete:
        with np.load(path) as arrays:
            assert arrays["maps_smoothgrad"].shape == (12, 12, 1)
    resumed = [*pictures, "--batch-size", 1, "--resume"]
    done = stop_after(-1)
    monkeypatch.chdir(here)
    assert explain(*resumed, repetitions=40)[0] == 0
    assert len(done) == 6 - len(complete)
    assert [entry["name"] for entry in manifest()["images"]] == NAMES
    assert len(maps()) == 6
    assert not unfinished.exists()


LIMITED = """
import resource, sys
from keras_explainable.cli import explain_images, main
explain = explain_images.explain
def limited(*arguments):  # Writing more to a file fails, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))
    explain(*arguments)
explain_images.explain = limited
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="needs resource limits")
def test_a_real_write_failure(explain, pictures, here, model_file):
    explain(*pictures[:1])
    old = {p: p.read_bytes() for p in (here / "out").rglob("*") if p.is_file()}
    options = ["--out", "out", "--repetitions", "2", "--model", model_file]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "explain", *pictures, *options],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1].endswith(
        "completed images are kept for --resume."
    )
    assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in old} == old
    assert not list((here / "out").rglob("*.part"))
    assert explain(*pictures, "--resume")[0] == 0


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError])
@pytest.mark.parametrize("file", ["4.npz", "maps.npz", "index.html", "manifest.json"])
def test_a_full_disk_at_any_file_leaves_old_or_new_results(
    explain, pictures, here, manifest, monkeypatch, error, file
):
    explain(*pictures[:1])
    old = (here / "out" / "manifest.json").read_bytes()
    atomic_write = atomic_files.atomic_write

    def full(path, folder):
        if path.name == file:
            raise error
        return atomic_write(path, folder)

    with monkeypatch.context() as patched:
        patched.setattr(atomic_files, "atomic_write", full)
        code, out, err = explain(*pictures)
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].endswith("; completed images are kept for --resume.")
    if file == "4.npz":  # The other images are complete and written.
        assert len(manifest()["images"]) == 4
        assert manifest()["interrupted"] is True
    else:
        assert (here / "out" / "manifest.json").read_bytes() == old
    assert not list((here / "out").rglob("*.part"))
    assert explain(*pictures, "--resume")[0] == 0
    assert [entry["name"] for entry in manifest()["images"]] == NAMES


def test_out_of_memory_fails_only_the_images_of_the_batch(
    explain, pictures, manifest, here, stop_after, monkeypatch
):
    stop_after(2, MemoryError("no room"))
    monkeypatch.chdir(here)
    code, _, err = explain(*pictures, "--batch-size", 2)
    assert code == 1
    assert "5.png could not be explained (no room)" in err
    assert len(manifest()["images"]) == 4
    stop_after(-1)
    monkeypatch.chdir(here)
    assert explain(*pictures, "--batch-size", 2, "--resume")[0] == 0


def test_an_interruption_before_the_first_image_keeps_the_old_results(
    explain, pictures, here, stop_after, monkeypatch
):
    explain(*pictures)
    old = (here / "out" / "manifest.json").read_bytes()
    stop_after(0)
    monkeypatch.chdir(here)
    code, out, _ = explain(*pictures)
    assert code == 130
    assert "See" not in out
    assert (here / "out" / "manifest.json").read_bytes() == old


def test_an_interruption_while_the_report_is_written(
    explain, pictures, monkeypatch, here
):
    def interrupted(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Report, "_finish", interrupted)
        assert explain(*pictures)[0] == 130
    assert explain(*pictures, "--resume")[0] == 0
    assert len(json.loads((here / "out/manifest.json").read_text())["images"]) == 6
