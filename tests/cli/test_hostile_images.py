"""Damaged and malicious image files."""

import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from keras_explainable.cli import read_images

KINDS = ["png", "jpeg", "gif", "tiff", "webp", "bmp"]


def encoded(kind):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (9, 7, 3), "uint8")
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile") / "a.png"


def damaged(data, original):
    """Truncate the bytes, flip one bit, or overwrite some of them."""
    content = bytearray(original)
    place = data.draw(st.integers(0, len(content) - 1))
    how = data.draw(st.sampled_from(["cut", "flip", "rewrite"]))
    if how == "cut":
        return bytes(content[:place])
    if how == "flip":
        content[place] ^= 1 << data.draw(st.integers(0, 7))
        return bytes(content)
    other = data.draw(st.binary(min_size=1, max_size=16))
    content[place : place + len(other)] = other
    return bytes(content)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_damaged_image_is_read_or_one_error_sentence(path, kind, data):
    path.write_bytes(damaged(data, encoded(kind)))
    message = "none"
    try:
        assert read_images.read(path, (4, 4)).shape == (4, 4, 3)
    except ValueError as error:
        message = str(error)
    assert 0 < len(message) < 300
    assert "\n" not in message
    assert str(path.parent) not in message


def png(width, height, data=b""):
    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [chunk(b"IHDR", head), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    "content",
    [
        png(50_000, 50_000, zlib.compress(bytes(1000))),
        b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0\0\0" + b"," + bytes(20),
        b"P6\n50000 50000\n255\n",
    ],
)
def test_an_oversized_header_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="more pixels than can safely"):
        read_images.read(path, (8, 8))


MEASURE = """
import resource, sys
from PIL import Image
from keras_explainable.cli import read_images
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert read_images.read(sys.argv[1], (96, 96)).shape == (96, 96, 3)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="ru_maxrss is in KiB on Linux only"
)
@pytest.mark.parametrize(
    ("mode", "most"), [("RGB", 4.5), ("LA", 9), ("I;16", 7), ("P", 6)]
)
def test_memory_per_pixel_of_huge_images(tmp_path, mode, most):
    side = 6000
    Image.new(mode, (side, side)).save(tmp_path / "a.png", compress_level=1)
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "a.png")]
    kibibytes = int(subprocess.check_output(command, text=True))
    assert kibibytes * 1024 / side**2 < most


def test_postscript_is_not_run(path, monkeypatch):
    from PIL import EpsImagePlugin

    ran = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *a, **k: ran.append(1))
    path.write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    )
    with Image.open(path) as image:
        assert image.format == "EPS"
    with pytest.raises(ValueError, match="is not an image or has an unknown format"):
        read_images.read(path)
    assert not ran


@pytest.mark.skipif(os.name == "nt", reason="needs named pipes")
def test_a_named_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ValueError, match="not a regular file"):
        read_images.read(tmp_path / "a.png")


def test_broken_and_circular_links(tmp_path):
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")
    found = read_images.find([tmp_path], skip=tmp_path / "out")
    assert [path.name for path in found] == ["gone.png", "loop.png"]
    with pytest.raises(ValueError, match="does not exist"):
        read_images.read(found[0])
    with pytest.raises(ValueError, match="cannot be read as an image") as caught:
        read_images.read(found[1])
    assert str(tmp_path) not in str(caught.value)


def test_links_into_the_output_folder_are_skipped(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.png").touch()
    (tmp_path / "a.png").touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "out" / "b.png")
    (tmp_path / "again").symlink_to(tmp_path)  # Linked folders are not searched.
    found = read_images.find([tmp_path], skip=tmp_path / "out")
    assert [path.name for path in found] == ["a.png"]


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(ValueError, match=r"cannot be found|does not exist"):
        read_images.find([tmp_path / ("x" * 5000)], skip=tmp_path / "out")
