import dataclasses
import time

import numpy as np
import pytest

from keras_explainable.report.report_writer import Report
from keras_explainable.report.resume import ImageResults, UnfinishedRun

IMAGE = np.arange(12, dtype="uint8").reshape(2, 2, 3)
RESULTS = ImageResults(
    {"name": "cat.jpg", "maps": [{"method": "rise", "key": "cat.rise"}]},
    {"rise": np.ones((2, 2, 1), "float32")},
    b"panel",
    "Füße".encode(),
)


@pytest.fixture
def unfinished(tmp_path):
    unfinished = UnfinishedRun(tmp_path / "unfinished", {"seed": 1}, resume=False)
    unfinished.add("cat", IMAGE, RESULTS)
    return unfinished


def test_results_are_restored_unchanged(unfinished):
    entry = unfinished.entry("cat", "cat.jpg", IMAGE)
    assert entry == RESULTS.entry
    again = unfinished.results("cat", entry)
    assert (again.panel, again.card) == (RESULTS.panel, RESULTS.card)
    np.testing.assert_array_equal(again.maps["rise"], RESULTS.maps["rise"])


def test_a_resumed_run_lasted_as_long_as_all_its_parts(tmp_path, run, explanation):
    def part(name, seconds):
        report = Report(tmp_path, run, resume=True)
        report.count_from(time.monotonic() - seconds)
        with report:
            for each in ("a.jpg", "b.jpg"):
                key, made = report.key(each), explanation(each)
                if not report.resumes(key, each, made.image) and name == each:
                    report.add(key, made)
            if len(report.entries) < 2:
                report.fail("b.jpg", "is late")
        text = report.page.read_text("utf-8")
        assert f"explaining the images took {report.seconds:.1f} s" in text
        return report.seconds

    assert 100 <= part("a.jpg", 100) < 105
    assert 107 <= part("b.jpg", 7) < 112


def test_results_belong_to_one_image_of_one_name(unfinished):
    assert unfinished.entry("cat", "dog.jpg", IMAGE) is None
    assert unfinished.entry("dog", "cat.jpg", IMAGE) is None
    assert unfinished.entry("cat", "cat.jpg", IMAGE + 1) is None
    assert unfinished.entry("cat", "cat.jpg", IMAGE.reshape(1, 4, 3)) is None
    assert unfinished.entry("cat", "cat.jpg", IMAGE, picture=IMAGE) is None


def test_every_damaged_byte_is_detected_or_harmless(unfinished):
    path = unfinished.path / "cat.npz"
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        if entry := unfinished.entry("cat", "cat.jpg", IMAGE):
            again = unfinished.results("cat", entry)
            assert (again.entry, again.panel) == (RESULTS.entry, RESULTS.panel)
            np.testing.assert_array_equal(again.maps["rise"], RESULTS.maps["rise"])
        path.write_bytes(whole[:place])
        assert unfinished.entry("cat", "cat.jpg", IMAGE) is None


def test_pickles_are_not_loaded(unfinished):
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("loaded",)

    facts = np.array([Bomb()], dtype=object)
    np.savez(unfinished.path / "cat.npz", facts=facts, allow_pickle=True)
    assert unfinished.entry("cat", "cat.jpg", IMAGE) is None


def test_stored_results_cannot_choose_their_paths(tmp_path, run, explanation):
    made, out = explanation(name="cat.jpg"), tmp_path / "out"
    out.mkdir()
    with Report(out, run) as report:
        key = report.key("cat.jpg")
        report.add(key, made)
        unfinished = report._unfinished
        results = unfinished.results(key, report.entries[0])
        maps = [results.entry["maps"][0] | {"key": "../evil"}]
        evil = results.entry | {"panel": "../evil.png", "maps": maps}
        unfinished.add(key, made.image, dataclasses.replace(results, entry=evil))
        report.fail("dog.jpg", "is missing")
    with Report(out, run, resume=True) as again:
        assert again.resumes(again.key("cat.jpg"), "cat.jpg", made.image)
    assert list(tmp_path.iterdir()) == [out]
    assert (out / "panels" / "cat.png").is_file()
