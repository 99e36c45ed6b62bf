"""Malicious names, links and folders."""

import html
import os

import pytest

SCRIPT = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    "name",
    [
        f"{SCRIPT}.png",
        "\"quoted\" 'twice'.png",
        "line\nbreak.png",
        "\x1b[31mred\x07.png",
        "up\\..\\..\\up.png",
        "x" * 250 + ".png",
        "&lt;b&gt;.png",
        "\u202etxt.png",
        "$(touch ran).png",
    ],
)
def test_odd_names_are_shown_as_text(explain, picture, here, manifest, name):
    picture("a.png")
    (here / "a.png").rename(here / "in.png")
    (here / "pictures").mkdir()
    (here / "in.png").rename(here / "pictures" / name)
    code, out, err = explain("pictures")
    assert code == 0
    assert {path.name for path in here.iterdir()} == {"out", "pictures"}
    page = (here / "out" / "index.html").read_text("utf-8")
    assert SCRIPT not in page
    assert html.escape(manifest()["images"][0]["name"]) in page
    for text in (out, err, page, manifest()["images"][0]["name"]):
        assert not set(text) & set("\x1b\x07\u202e")
    (panel,) = (here / "out" / "panels").iterdir()
    assert len(panel.name.encode()) < 256


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode on Windows")
def test_names_that_are_not_unicode(explain, picture, here, manifest):
    picture("a.png")
    (here / "in").mkdir()
    os.rename(b"a.png", b"in/\xff\xfe.png")  # noqa: PTH104
    assert explain("in")[0] == 0
    assert manifest()["images"][0]["name"] == "in/\ufffd\ufffd.png"
    code, _, err = explain(os.fsdecode(b"no\xff.png"))
    assert code == 2
    assert "no\ufffd.png does not exist" in err


def test_parent_directories_in_names_stay_in_the_folder(explain, picture, here):
    (here / "deep" / "below").mkdir(parents=True)
    picture("up.png")
    os.chdir(here / "deep" / "below")
    assert explain("../../up.png")[0] == 0
    assert {path.name for path in here.iterdir()} == {"deep", "up.png"}
    assert (here / "deep/below/out/panels/up.png").is_file()


def test_escape_sequences_in_names_are_not_printed(explain):
    code, out, err = explain("a\x1b[2J\nb.png")
    assert (code, out) == (2, "")
    assert err == "Error: a\ufffd[2J\ufffdb.png does not exist.\n"


def test_a_decompression_bomb_is_a_failure(explain, picture, here):
    good = picture("good.png")
    (here / "bomb.ppm").write_bytes(b"P6\n50000 50000\n255\n")
    code, out, err = explain(good, "bomb.ppm")
    assert (code, "1 explained, 1 failed" in out) == (1, True)
    assert "bomb.ppm has more pixels than can safely be decoded" in err


@pytest.mark.parametrize("name", ["panels", "unfinished"])
def test_output_folders_that_are_links_are_refused(explain, picture, here, name):
    (here / "elsewhere").mkdir()
    (here / "elsewhere" / "precious.npz").touch()
    (here / "out").mkdir()
    (here / "out" / name).symlink_to(here / "elsewhere")
    code, out, err = explain(picture("a.png"))
    assert (code, out) == (2, "")
    assert f"out/{name} must be a folder, not a link or a file." in err
    assert [path.name for path in (here / "elsewhere").iterdir()] == ["precious.npz"]


def test_links_in_the_output_folder_are_replaced(explain, picture, here):
    kept = here / "kept.txt"
    kept.write_text("mine")
    (here / "out" / "panels").mkdir(parents=True)
    made = ["index.html", "maps.npz", "manifest.json", "panels/a.png"]
    for name in made:
        (here / "out" / name).symlink_to(kept)
    assert explain(picture("a.png"))[0] == 0
    assert kept.read_text() == "mine"
    assert not any((here / "out" / name).is_symlink() for name in made)


def test_an_unrelated_folder_named_unfinished_is_kept(explain, picture, here):
    own = here / "out" / "unfinished"
    own.mkdir(parents=True)
    (own / "novel.txt").write_text("mine")
    (own / "data.bin").write_text("mine")
    assert explain(picture("a.png"))[0] == 0
    assert {path.name for path in own.iterdir()} == {"novel.txt", "data.bin"}


def test_a_damaged_manifest_is_replaced(explain, picture, here, manifest):
    (here / "out").mkdir()
    (here / "out" / "manifest.json").write_bytes(b"\xff{[")
    assert explain(picture("a.png"), "--resume")[0] == 0
    assert len(manifest()["images"]) == 1
