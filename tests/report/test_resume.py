import dataclasses

import numpy as np
import pytest

from keras_explainable.report import Report
from keras_explainable.report.resume import Part, Unfinished

IMAGE = np.arange(12, dtype="uint8").reshape(2, 2, 3)
PART = Part(
    {"name": "cat.jpg", "maps": [{"method": "rise", "key": "cat.rise"}]},
    {"rise": np.ones((2, 2, 1), "float32")},
    b"panel",
    "Füße".encode(),
)


@pytest.fixture
def parts(tmp_path):
    parts = Unfinished(tmp_path / "unfinished", {"seed": 1}, resume=False)
    parts.add("cat", IMAGE, PART)
    return parts


def test_a_part_comes_back_as_it_was(parts):
    entry = parts.entry("cat", "cat.jpg", IMAGE)
    assert entry == PART.entry
    again = parts.part("cat", entry)
    assert (again.panel, again.card) == (PART.panel, PART.card)
    np.testing.assert_array_equal(again.maps["rise"], PART.maps["rise"])


def test_it_is_of_one_picture_of_one_name(parts):
    assert parts.entry("cat", "dog.jpg", IMAGE) is None
    assert parts.entry("dog", "cat.jpg", IMAGE) is None
    assert parts.entry("cat", "cat.jpg", IMAGE + 1) is None
    assert parts.entry("cat", "cat.jpg", IMAGE.reshape(1, 4, 3)) is None


def test_every_damaged_byte_is_noticed_or_does_no_harm(parts):
    path = parts.path / "cat.npz"
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        if entry := parts.entry("cat", "cat.jpg", IMAGE):
            again = parts.part("cat", entry)
            assert (again.entry, again.panel) == (PART.entry, PART.panel)
            np.testing.assert_array_equal(again.maps["rise"], PART.maps["rise"])
        path.write_bytes(whole[:place])
        assert parts.entry("cat", "cat.jpg", IMAGE) is None


def test_pickles_are_not_loaded(parts):
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("loaded",)

    facts = np.array([Bomb()], dtype=object)
    np.savez(parts.path / "cat.npz", facts=facts, allow_pickle=True)
    assert parts.entry("cat", "cat.jpg", IMAGE) is None


def test_a_part_cannot_choose_where_it_goes(tmp_path, run, explanation):
    made, out = explanation(name="cat.jpg"), tmp_path / "out"
    out.mkdir()
    with Report(out, run) as report:
        key = report.key("cat.jpg")
        report.add(key, made)
        parts = report._unfinished
        part = parts.part(key, report.entries[0])
        maps = [part.entry["maps"][0] | {"key": "../evil"}]
        astray = part.entry | {"panel": "../evil.png", "maps": maps}
        parts.add(key, made.image, dataclasses.replace(part, entry=astray))
        report.fail("dog.jpg", "is missing")
    with Report(out, run, resume=True) as again:
        assert again.resumes(again.key("cat.jpg"), "cat.jpg", made.image)
    assert list(tmp_path.iterdir()) == [out]
    assert (out / "panels" / "cat.png").is_file()
