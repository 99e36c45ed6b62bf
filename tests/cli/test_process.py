"""The command in a process of its own, with the bundled network."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from keras_explainable import demo

# A shell starts background jobs, perhaps these tests, with SIGINT ignored.
START = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from keras_explainable.cli import main
main()
"""


def start(*arguments, cwd, **options):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_CPP")}
    return subprocess.Popen(
        [sys.executable, "-c", START, *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory):
    """Run ``keras-explainable explain`` in an empty folder."""
    folder = tmp_path_factory.mktemp("demonstration")
    process = start("explain", "--repetitions", "10", cwd=folder)
    out, err = process.communicate(timeout=300)
    return folder, process.returncode, out, err


def test_the_demonstration_prints_the_path_of_the_page(demonstration):
    folder, code, out, _ = demonstration
    assert code == 0
    assert "See explanations/index.html" in out
    assert sorted(path.name for path in folder.iterdir()) == ["explanations"]
    assert len(list((folder / "explanations" / "panels").iterdir())) == 12


def test_stderr_holds_nothing_else(demonstration):
    err = demonstration[-1]
    assert err.splitlines() == ["Loading demo", "12 of 12 images"]


def test_predictions_are_right_and_maps_highlight_the_digits(demonstration):
    folder = demonstration[0] / "explanations"
    facts = json.loads((folder / "manifest.json").read_text("utf-8"))
    samples = demo.load_samples()
    found = [int(entry["predictions"][0]["label"]) for entry in facts["images"]]
    assert np.mean(found == samples.labels) >= 11 / 12
    with np.load(folder / "maps.npz") as maps:
        for entry, mask in zip(facts["images"], samples.masks, strict=True):
            map_ = maps[entry["maps"][0]["key"]][..., 0]
            assert map_[mask].mean() > 2 * map_[~mask].mean()


def test_the_page_needs_no_other_file(demonstration):
    page = (demonstration[0] / "explanations" / "index.html").read_text("utf-8")
    assert page.count("url(data:image/") == 12 * 2  # Each image and each map once.
    assert "src=" not in page
    assert 'href="' not in page


def test_help_and_usage_errors_import_no_framework(tmp_path):
    heavy = ["keras", "tensorflow", "jax", "torch", "matplotlib"]
    code = (
        "import sys; from keras_explainable.cli import main\n"
        "try: main(sys.argv[1:])\n"
        f"finally: print([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    for arguments in (["explain", "--help"], ["explain", "nothing.png"], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C differently")
def test_ctrl_c_exits_with_130_and_a_report(tmp_path):
    """Interrupt a run of a dozen images after its first two."""
    many = ["--repetitions", "100", "--batch-size", "1"]
    process = start("explain", *many, cwd=tmp_path, start_new_session=True)
    unfinished = tmp_path / "explanations" / "unfinished"
    try:
        while len(list(unfinished.glob("*.npz"))) < 2:
            assert process.poll() is None
            time.sleep(0.05)
    except BaseException:
        process.kill()
        raise
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert "Interrupted:" in out
    assert "Traceback" not in err
    facts = json.loads((tmp_path / "explanations" / "manifest.json").read_text("utf-8"))
    assert facts["interrupted"] is True
    assert 1 <= len(facts["images"]) < 12
