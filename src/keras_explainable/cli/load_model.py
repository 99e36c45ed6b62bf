"""What ``--model`` names: a network, how pictures enter it, what its units mean."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import inspect
import io
import pathlib
import zipfile
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.cli import read_images

__all__ = ["LoadedModel", "check_name", "load"]

_FILES = (".keras", ".h5", ".hdf5")

# A file may unpack to so many times its size, or to so many bytes if that is more.
_EXPANSION, _HARMLESS = 100, 1 << 24


@dataclasses.dataclass(frozen=True)
class LoadedModel:
    """The network to explain, with all that is needed to show it a picture.

    Attributes:
        name: as the user named it.
        model: a Keras model from (N, H, W, channels) to (N, classes).
        preprocessing: the name of the scaling, for the record.
        prepare: uint8 RGB (N, H, W, 3) to what the model takes.
        classes: one label per unit.
    """

    name: str
    model: Any
    preprocessing: str
    prepare: Callable[[read_images.Pixels], NDArray[np.float32]]
    classes: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int] | None:
        """Return the (height, width) the model takes, ``None`` if it takes any."""
        _, height, width, _ = self.model.inputs[0].shape
        return (height or width, width or height) if height or width else None

    @functools.cached_property
    def hash(self) -> str:
        """Return what tells the network, its weights too, from any other."""
        from keras_explainable.inspection.find_layers import layers_reversed
        from keras_explainable.inspection.model_fingerprint import fingerprint

        # Not by `to_json`: with any backend, it imports TensorFlow where there is one.
        layers = map(_described, layers_reversed(self.model))
        known = "\n".join([*layers, fingerprint(self.model)])
        return hashlib.sha256(known.encode()).hexdigest()


def _described(layer: Any) -> str:
    activation = getattr(getattr(layer, "activation", None), "__name__", "")
    return f"{type(layer).__name__} {layer.name} {activation}"


def check_name(name: str, preprocess: str | None) -> None:
    """Raise ValueError if a look at the name tells that ``load`` would; takes no time.

    Args:
        name: as for ``load``.
        preprocess: as for ``load``.
    """
    if not _is_file_name(name):
        if preprocess is not None:
            raise ValueError(
                f"--preprocess is for model files; {name} knows what it needs."
            )
        return
    if not pathlib.Path(name).is_file():
        raise ValueError(f"Model file {name} does not exist.")
    if preprocess not in (None, *read_images.PREPROCESSING):
        kinds = ", ".join(read_images.PREPROCESSING)
        raise ValueError(f"--preprocess must be one of {kinds}; received {preprocess}.")


def load(name: str, preprocess: str | None = None) -> LoadedModel:
    """Load the bundled network, a model file, or one of ``keras.applications``.

    Args:
        name: ``demo``, the path of a .keras or .h5 file, or a name such as
            ``MobileNetV2``, in any case of letters.
        preprocess: a key of ``images.PREPROCESSING``, for model files only; they
            get ``none`` without it. The other models know what they need.

    Raises:
        ValueError: in one sentence, if there is no such model, it cannot be loaded,
            or it is not a classifier of pictures.
    """
    check_name(name, preprocess)
    if _is_file_name(name):
        return _from_file(name, preprocess or "none")
    return _demo() if name == "demo" else _from_applications(name)


def _is_file_name(name: str) -> bool:
    return pathlib.Path(name).suffix in _FILES


def _demo() -> LoadedModel:
    from keras_explainable import demo

    model = demo.load_model()
    prepare = functools.partial(read_images.preprocess, kind="none")
    return LoadedModel("demo", model, "none", prepare, tuple("0123456789"))


def _from_file(name: str, kind: str) -> LoadedModel:
    import keras

    try:
        _check_packing(name)
        model = keras.models.load_model(name, compile=False, safe_mode=True)
    except Exception as error:  # A file from anywhere may fail in any way.
        raise ValueError(f"Model file {name} {_why_not_loaded(error)}") from error
    channels = _check(name, model)
    prepare = functools.partial(read_images.preprocess, kind=kind, channels=channels)
    prepare(np.zeros((1, 1, 1, 3), "uint8"))  # Complains of a kind that cannot be.
    return LoadedModel(name, model, kind, prepare, _numbered(model))


def _check_packing(name: str) -> None:
    """Raise ValueError if a small file says that it unpacks to much."""
    if not zipfile.is_zipfile(name):
        unpacked = _array_bytes(name)
    else:
        with zipfile.ZipFile(name) as archive:
            unpacked = _member_bytes(archive)
    if unpacked > max(_HARMLESS, _EXPANSION * pathlib.Path(name).stat().st_size):
        raise ValueError(f"it would unpack to {unpacked / 1e9:.1f} GB")


def _member_bytes(archive: zipfile.ZipFile) -> int:
    sizes = {info.filename: info.file_size for info in archive.infolist()}
    if sizes.get("config.json", 0) > _HARMLESS:  # Parsed, it takes far more.
        raise ValueError("its config.json is too large to be one")
    total, weights = sum(sizes.values()), "model.weights.h5"
    if total > max(_HARMLESS, _EXPANSION * _size(archive)) or weights not in sizes:
        return total
    return max(total, _array_bytes(io.BytesIO(archive.read(weights))))


def _size(archive: zipfile.ZipFile) -> int:
    return sum(info.compress_size for info in archive.infolist())


def _array_bytes(file: str | io.BytesIO) -> int:
    """Return how much memory the arrays of an HDF5 file ask for."""
    import h5py  # type: ignore[import-untyped]

    sizes = []
    with h5py.File(file) as opened:
        opened.visititems(lambda _, item: sizes.append(getattr(item, "nbytes", 0)))
    return sum(sizes)


def _why_not_loaded(error: Exception) -> str:
    text = str(error)
    if "safe_mode" in text:
        return (
            "holds Python code (such as a Lambda layer), which is not run for safety's "
            "sake; load it yourself and call `keras_explainable.smoothgrad`."
        )
    if "could not be deserialized" in text or "Could not locate" in text:
        return (
            "uses layers or functions that Keras does not know; load it yourself "
            "with `custom_objects` and call `keras_explainable.smoothgrad`."
        )
    first_line = (text.strip() or type(error).__name__).splitlines()[0]
    return f"is not a Keras model, or a damaged one ({first_line[:200]})."


def _from_applications(name: str) -> LoadedModel:
    import keras

    known = {key.lower(): key for key in _application_names()}
    if name.lower() not in known:
        raise ValueError(_unknown(name, known))
    name = known[name.lower()]
    model = _pretrained(name, getattr(keras.applications, name))
    _check(name, model)
    module = _home(name)

    def prepare(pixels: read_images.Pixels) -> NDArray[np.float32]:
        floats = pixels.astype("float32")  # A copy: it may be changed in place.
        return np.asarray(module.preprocess_input(floats), "float32")

    classes = _imagenet_classes(module, model)
    return LoadedModel(name, model, f"keras.applications ({name})", prepare, classes)


def _application_names() -> list[str]:
    import keras

    members = inspect.getmembers(keras.applications, inspect.isfunction)
    return [name for name, _ in members]


def _unknown(name: str, known: dict[str, str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=3)
    hint = f"did you mean {' or '.join(known[key] for key in near)}?" if near else ""
    return (
        f"Unknown model {name}: {hint or 'no such name.'} "
        "Use demo, a .keras or .h5 file, or a model of keras.applications."
    )


def _pretrained(name: str, build: Callable[..., Any]) -> Any:
    try:
        return build(weights="imagenet")
    except Exception as error:  # Keras raises a bare Exception for a failed download.
        if "fetch" not in str(error) and "download" not in str(error).lower():
            raise
        raise ValueError(
            f"The weights of {name} could not be downloaded; go online once, or use "
            "--model with a .keras file of yours, or --model demo."
        ) from error


def _home(name: str) -> ModuleType:
    """Return the public module of ``keras.applications`` that holds the model."""
    import keras

    if name.startswith("MobileNetV3"):  # As of Keras 3.15, its module lacks it.
        return keras.applications.mobilenet_v3
    modules = inspect.getmembers(keras.applications, inspect.ismodule)
    homes = (module for _, module in modules if hasattr(module, name))
    return next(home for home in homes if hasattr(home, "preprocess_input"))


def _imagenet_classes(module: ModuleType, model: Any) -> tuple[str, ...]:
    try:
        one_of_each = np.eye(model.output_shape[-1], dtype="float32")
        decoded = module.decode_predictions(one_of_each, top=1)
    except Exception:  # The names are a download; without them, numbers will do.
        return _numbered(model)
    return tuple(best[0][1].replace("_", " ") for best in decoded)


def _numbered(model: Any) -> tuple[str, ...]:
    return tuple(f"class {unit}" for unit in range(model.output_shape[-1]))


def _check(name: str, model: Any) -> int:
    """Return the channels of a model that classifies pictures."""
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        shapes = [tuple(tensor.shape) for tensor in inputs]
        received = f"one with inputs of shape {shapes}" if shapes else "no known input"
        raise ValueError(
            f"{name} must take one batch of images (N, H, W, C); received {received}."
        )
    if inputs[0].shape[-1] not in (1, 3):
        raise ValueError(
            f"{name} must take images with 1 or 3 channels last; "
            f"received a model for {tuple(inputs[0].shape)}."
        )
    _check_outputs(name, model)
    return int(inputs[0].shape[-1])


def _check_outputs(name: str, model: Any) -> None:
    shapes = [tuple(tensor.shape) for tensor in model.outputs]
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][-1] is None:
        raise ValueError(
            f"{name} must give one score per class (N, classes); "
            f"received a model with outputs of shape {shapes}."
        )
