"""Damaged and malicious model files."""

import copy
import io
import json
import pathlib
import zipfile

import h5py
import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from keras_explainable.cli import load_model


def network(*more):
    first = [keras.Input((8, 8, 3)), *more, layers.GlobalAveragePooling2D()]
    return keras.Sequential([*first, layers.Dense(2)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def originals(folder):
    """The bytes of a valid file of each format."""
    paths = [folder / "good.keras", folder / "good.h5"]
    for path in paths:
        network().save(path)
    return {path.suffix: path.read_bytes() for path in paths}


@pytest.fixture
def packed(originals, folder):
    """Repack a .keras file with other members."""

    def pack(**members):
        path = folder / "packed.keras"
        with zipfile.ZipFile(io.BytesIO(originals[".keras"])) as good:
            contents = {name: good.read(name) for name in good.namelist()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in (contents | members).items():
                archive.writestr(name, content)
        return str(path)

    return pack


@pytest.fixture
def config(originals):
    with zipfile.ZipFile(io.BytesIO(originals[".keras"])) as good:
        return json.loads(good.read("config.json"))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_damaged_model_is_loaded_or_one_error_sentence(
    originals, folder, suffix, data
):
    content = bytearray(originals[suffix])
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:place]
    else:
        other = data.draw(st.binary(min_size=1, max_size=16))
        content[place : place + len(other)] = other
    path = folder / f"damaged{suffix}"
    path.write_bytes(content)
    message = ""
    try:
        assert load_model.load(str(path)).size == (8, 8)
    except ValueError as error:
        message = str(error)
    assert "\n" not in message
    assert len(message) < 400 + len(str(path))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_damaged_config_is_one_error_sentence(originals, folder, data):
    with zipfile.ZipFile(io.BytesIO(originals[".keras"])) as good:
        text = bytearray(good.read("config.json"))
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] = data.draw(st.sampled_from(b'0{}[]",:x'))
    path = folder / "described.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", bytes(text))
    with pytest.raises(ValueError, match=r"described\.keras (is damaged|uses)"):
        load_model.load(str(path))


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5", "assets/x"])
def test_zip_bombs_are_refused_before_unpacking(packed, member, monkeypatch):
    path = packed(**{member: bytes(100_000_000)})
    assert pathlib.Path(path).stat().st_size < 200_000
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("unpacked"))
    monkeypatch.setattr(
        keras.models, "load_model", lambda *_, **__: pytest.fail("loaded")
    )
    with pytest.raises(ValueError, match=r"would unpack to 0\.1 GB|is too large"):
        load_model.load(path)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_oversized_array_headers_are_refused(packed, folder, suffix):
    claims = io.BytesIO()
    with h5py.File(claims, "w") as file:
        file.create_dataset("a/b", (1 << 14, 1 << 14), "f4", chunks=True)
    path = folder / "claims.h5"
    path.write_bytes(claims.getvalue())
    if suffix == ".keras":
        path = packed(**{"model.weights.h5": claims.getvalue()})
    with pytest.raises(ValueError, match=r"would unpack to 1\.1 GB"):
        load_model.load(str(path))


def test_a_repacked_file_is_loaded(packed):
    assert load_model.load(packed()).size == (8, 8)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_marshalled_code_is_not_run(folder, suffix):
    ran = folder / "ran"
    place, path = str(ran), folder / f"code{suffix}"
    code = layers.Lambda(lambda x: (__import__("pathlib").Path(place).touch(), x)[1])
    network(code).save(path)
    assert ran.exists()  # The code works when it is run.
    ran.unlink()
    with pytest.raises(ValueError, match="contains Python code"):
        load_model.load(str(path))
    assert not ran.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("subprocess", "run"),
        ("keras.src.utils.python_utils", "func_load"),
        ("keras.utils", "get_file"),
    ],
)
def test_a_config_cannot_name_functions_to_call(packed, config, folder, module, name):
    ran = folder / "called"
    arguments = {"command": f"touch {ran}", "args": f"touch {ran}", "origin": "x"}
    as_layer = {"module": module, "class_name": name, "config": arguments}
    as_function = {"module": module, "class_name": "function", "config": name}
    for place, what in (("layer", as_layer), ("activation", as_function)):
        changed = copy.deepcopy(config)
        if place == "layer":
            changed["config"]["layers"].insert(1, what)
        else:
            changed["config"]["layers"][-1]["config"]["activation"] = what
        with pytest.raises(ValueError, match=r"packed\.keras (uses|is damaged)"):
            load_model.load(packed(**{"config.json": json.dumps(changed)}))
    assert not ran.exists()


@pytest.mark.filterwarnings("ignore:Skipping invalid path")
def test_members_with_outside_paths_are_not_written(packed, folder):
    before = {path.name for path in folder.parent.iterdir()}
    outside = folder / "absolute.txt"
    path = packed(**{"../../slip.txt": "x", str(outside): "x", "assets/../../s": "x"})
    load_model.load(path)
    assert not outside.exists()
    assert {path.name for path in folder.parent.iterdir()} == before


def test_a_deeply_nested_config_is_one_error_sentence(packed):
    with pytest.raises(ValueError, match="is damaged or"):
        load_model.load(packed(**{"config.json": "[" * 100_000}))


def test_the_hash_depends_on_the_weights(originals, folder):
    paths = [folder / "good.keras", folder / "good.keras", folder / "other.keras"]
    other = keras.models.load_model(paths[0])
    kernel = other.layers[-1].kernel
    kernel.assign(kernel + 1e-3)
    other.save(paths[2])
    first, again, changed = (load_model.load(str(path)).hash for path in paths)
    assert first == again != changed
