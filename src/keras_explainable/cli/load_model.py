"""Loads the network that ``--model`` names, with its preprocessing and labels."""

import dataclasses
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

from keras_explainable.cli import other_formats, read_images
from keras_explainable.common import near_names

_FILE_SUFFIXES = (".keras", ".h5", ".hdf5")

# A file may unpack to this many times its size, or to this many bytes if that is more.
_MAX_EXPANSION, _ALWAYS_ALLOWED = 100, 1 << 24


@dataclasses.dataclass(frozen=True)
class LoadedModel:
    """The network to explain, with its preprocessing and labels.

    Attributes:
        name: The name that the user gave.
        model: A Keras model from (N, H, W, channels) to (N, classes).
        preprocessing: The name of the preprocessing, for the record.
        prepare: The preprocessing, from uint8 RGB (N, H, W, 3) to the model's input.
        classes: One label per unit.
        named: Whether the user has given these labels.
    """

    name: str
    model: Any
    preprocessing: str
    prepare: Callable[[read_images.Pixels], read_images.Floats]
    classes: tuple[str, ...]
    named: bool = False

    @property
    def classes_hash(self) -> str | None:
        """Return a hash of the labels that the user has given; None without."""
        text = "\n".join(self.classes)
        return hashlib.sha256(text.encode()).hexdigest() if self.named else None

    @property
    def size(self) -> tuple[int, int] | None:
        """Return the (height, width) of the model's input; ``None`` for any size."""
        _, height, width, _ = self.model.inputs[0].shape
        return (height or width, width or height) if height or width else None

    @functools.cached_property
    def hash(self) -> str:
        """Return a hash of the network's layers and weights."""
        from keras_explainable.inspection.model_fingerprint import fingerprint
        from keras_explainable.network.layers_of_model import layers_reversed

        # Not `to_json`, which imports TensorFlow if it is installed, on any backend.
        layers = map(_layer_description, layers_reversed(self.model))
        text = "\n".join([*layers, fingerprint(self.model)])
        return hashlib.sha256(text.encode()).hexdigest()


def _layer_description(layer: Any) -> str:
    activation = getattr(getattr(layer, "activation", None), "__name__", "")
    return f"{type(layer).__name__} {layer.name} {activation}"


def check_name(name: str, preprocess: str | None) -> None:
    """Raise ValueError if the arguments of ``load`` are wrong; imports nothing.

    Args:
        name: As in ``load``.
        preprocess: As in ``load``.
    """
    if (advice := other_formats.advice(name)) is not None:
        raise ValueError(f"{name} {advice}.")
    if not _is_file_name(name):
        if preprocess is not None:
            raise ValueError(
                f"--preprocess is for model files; {name} has its own preprocessing."
            )
        return
    if not pathlib.Path(name).is_file():
        raise ValueError(f"Model file {name} does not exist.")
    if preprocess not in (None, *read_images.PREPROCESSING):
        kinds = ", ".join(read_images.PREPROCESSING)
        raise ValueError(f"--preprocess must be one of {kinds}; received {preprocess}.")


def load(name: str, preprocess: str | None = None) -> LoadedModel:
    """Return the bundled network, a model file, or a model of ``keras.applications``.

    Args:
        name: ``demo``, the path of a .keras or .h5 file, or a name such as
            ``MobileNetV2``, in upper or lower case.
        preprocess: A key of ``read_images.PREPROCESSING``, for model files only;
            ``None`` stands for ``none``. The other models have their own.

    Raises:
        ValueError: If the model does not exist, cannot be loaded, or does not
            classify images; the message is one sentence.
    """
    check_name(name, preprocess)
    if _is_file_name(name):
        return _from_file(name, preprocess or "none")
    return _demo() if name == "demo" else _from_applications(name)


def _is_file_name(name: str) -> bool:
    return pathlib.Path(name).suffix in _FILE_SUFFIXES


def _demo() -> LoadedModel:
    from keras_explainable import demo

    prepare = functools.partial(read_images.preprocess, kind="none")
    return LoadedModel("demo", demo.load_model(), "none", prepare, tuple("0123456789"))


def _from_file(name: str, kind: str) -> LoadedModel:
    import keras

    try:
        _check_unpacked_size(name)
        model = keras.models.load_model(name, compile=False, safe_mode=True)
    except Exception as error:  # An untrusted file may raise anything.
        raise ValueError(f"Model file {name} {_load_failure(error)}") from error
    channels = _check_model(name, model)
    _warn_of_other_values(model)
    prepare = functools.partial(read_images.preprocess, kind=kind, channels=channels)
    prepare(np.zeros((1, 1, 1, 3), "uint8"))  # Raises if kind and channels conflict.
    return LoadedModel(name, model, kind, prepare, _numbered_classes(model))


def _warn_of_other_values(model: Any) -> None:
    """Warn if the backend on which the model was trained may have computed others."""
    from keras_explainable.common.warnings import warn
    from keras_explainable.network.backend_values import layers_with_other_values

    if names := layers_with_other_values(model):
        warn(
            f"The layers {', '.join(names)} compute other values with PyTorch than "
            "with TensorFlow or JAX. The maps explain what they compute here."
        )


def _check_unpacked_size(name: str) -> None:
    """Raise ValueError if a file would unpack to far more than its size."""
    is_archive = zipfile.is_zipfile(name)
    unpacked = _archive_bytes(name) if is_archive else _array_bytes(name)
    if unpacked > _size_limit(pathlib.Path(name).stat().st_size):
        raise ValueError(f"it would unpack to {unpacked / 1e9:.1f} GB")


def _size_limit(packed: int) -> int:
    return max(_ALWAYS_ALLOWED, _MAX_EXPANSION * packed)


def _archive_bytes(name: str) -> int:
    """Return the unpacked size of an archive's members, or of its arrays if larger."""
    with zipfile.ZipFile(name) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        if sizes.get("config.json", 0) > _ALWAYS_ALLOWED:  # Parsed, it takes far more.
            raise ValueError("its config.json is too large")
        total, weights = sum(sizes.values()), "model.weights.h5"
        packed = sum(info.compress_size for info in archive.infolist())
        if total > _size_limit(packed) or weights not in sizes:
            return total
        return max(total, _array_bytes(io.BytesIO(archive.read(weights))))


def _array_bytes(file: str | io.BytesIO) -> int:
    """Return the size of the arrays that an HDF5 file declares."""
    import h5py  # type: ignore[import-untyped]

    sizes = []
    with h5py.File(file) as opened:
        opened.visititems(lambda _, item: sizes.append(getattr(item, "nbytes", 0)))
    return sum(sizes)


def _load_failure(error: Exception) -> str:
    text = str(error)
    if "safe_mode" in text:
        return (
            "contains Python code (such as a Lambda layer), which is not run for "
            "safety; load it yourself and call `keras_explainable.smoothgrad`."
        )
    if "could not be deserialized" in text or "Could not locate" in text:
        return (
            "uses layers or functions that Keras does not know; load it yourself "
            "with `custom_objects` and call `keras_explainable.smoothgrad`."
        )
    first_line = (text.strip() or type(error).__name__).splitlines()[0]
    return f"is damaged or not a Keras model ({first_line[:200]})."


def _from_applications(name: str) -> LoadedModel:
    import keras

    known = {key.lower(): key for key in _application_names()}
    if name.lower() not in known:
        raise ValueError(_unknown_model(name, known))
    name = known[name.lower()]
    model = _pretrained(name, getattr(keras.applications, name))
    _check_model(name, model)
    module = _application_module(name)

    def prepare(pixels: read_images.Pixels) -> read_images.Floats:
        floats = pixels.astype("float32")  # A copy, for Keras may work in place.
        return np.asarray(module.preprocess_input(floats), "float32")

    classes = _imagenet_classes(module, model)
    return LoadedModel(name, model, f"keras.applications ({name})", prepare, classes)


def _application_names() -> list[str]:
    import keras

    members = inspect.getmembers(keras.applications, inspect.isfunction)
    return [name for name, _ in members]


def _unknown_model(name: str, known: dict[str, str]) -> str:
    hint = near_names.question(name, known.values()) or "."
    return (
        f"Unknown model {name}{hint} Use demo, a .keras or .h5 file, or a model "
        "of keras.applications."
    )


def _pretrained(name: str, build: Callable[..., Any]) -> Any:
    try:
        return build(weights="imagenet")
    except Exception as error:  # Keras raises a bare Exception for a failed download.
        if "fetch" not in str(error) and "download" not in str(error).lower():
            raise
        raise ValueError(
            f"The weights of {name} could not be downloaded; connect to the internet "
            "once, or use --model with a .keras file or --model demo."
        ) from error


def _application_module(name: str) -> ModuleType:
    """Return the public module of ``keras.applications`` that defines a model."""
    import keras

    if name.startswith("MobileNetV3"):  # As of Keras 3.15, not in its own module.
        return keras.applications.mobilenet_v3
    modules = inspect.getmembers(keras.applications, inspect.ismodule)
    candidates = (module for _, module in modules if hasattr(module, name))
    return next(each for each in candidates if hasattr(each, "preprocess_input"))


def _imagenet_classes(module: ModuleType, model: Any) -> tuple[str, ...]:
    try:
        one_of_each = np.eye(model.output_shape[-1], dtype="float32")
        decoded = module.decode_predictions(one_of_each, top=1)
    except Exception:  # Keras downloads the names; offline, numbers have to do.
        return _numbered_classes(model)
    return tuple(best[0][1].replace("_", " ") for best in decoded)


def _numbered_classes(model: Any) -> tuple[str, ...]:
    return tuple(f"class {unit}" for unit in range(model.output_shape[-1]))


def _check_model(name: str, model: Any) -> int:
    """Return the number of input channels of an image classifier."""
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        shapes = [tuple(tensor.shape) for tensor in inputs]
        received = f"inputs of shape {shapes}" if shapes else "unknown inputs"
        raise ValueError(
            f"{name} must take one batch of images (N, H, W, C); received {received}."
        )
    if inputs[0].shape[-1] not in (1, 3):
        raise ValueError(
            f"{name} must take images with 1 or 3 channels last; "
            f"received inputs of shape {tuple(inputs[0].shape)}."
        )
    _check_outputs(name, model)
    return int(inputs[0].shape[-1])


def _check_outputs(name: str, model: Any) -> None:
    shapes = [tuple(tensor.shape) for tensor in model.outputs]
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][-1] is None:
        of_images = len(shapes[0]) > 2
        hint = " In Python, `ke.targets.region` explains segmentations." * of_images
        raise ValueError(
            f"{name} must output one score per class (N, classes); "
            f"received outputs of shape {shapes}.{hint}"
        )
