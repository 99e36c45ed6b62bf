"""The public API: its names, its documentation, its errors when it cannot load."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import keras_explainable as ke
from keras_explainable.common import installation

SOURCES = Path(ke.__file__).parent


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_public_names():
    assert sorted(ke.__all__) == [
        "Evaluation",
        "Explanation",
        "Stats",
        "attention_maps",
        "attention_rollout",
        "attnlrp",
        "callbacks",
        "cam",
        "check_gradients",
        "d_minmaxcam",
        "d_minmaxgradcam",
        "demo",
        "distributed",
        "evaluate",
        "expected_gradients",
        "explain",
        "explore",
        "filters",
        "full_gradients",
        "gradcam",
        "gradcampp",
        "gradient_attention_rollout",
        "gradients",
        "guided_gradients",
        "hirescam",
        "input_x_gradient",
        "inspection",
        "integrated_gradients",
        "layercam",
        "lowering",
        "methods",
        "metrics",
        "minmaxcam",
        "minmaxgradcam",
        "occlusion",
        "partial_explain",
        "rise",
        "scorecam",
        "smoothgrad",
        "smoothgrad_squared",
        "sweep",
        "targets",
        "transformer_attribution",
        "utils",
        "vargrad",
    ]
    assert all(getattr(ke, name) is not None for name in ke.__all__)
    assert importlib.metadata.version("keras-explainable") == ke.__version__


MODULES = [
    *(ke, ke.demo, ke.filters, ke.inspection, ke.lowering, ke.methods, ke.utils),
    *(ke.callbacks, ke.distributed, ke.metrics),
    *(getattr(ke.methods, name) for name in ke.methods.__all__),
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_dir_shows_public_names_only(module):
    assert dir(module) == sorted(module.__all__)


def test_every_public_function_is_documented_and_typed():
    functions = [getattr(ke, name) for name in ke.__all__]
    functions = [function for function in functions if callable(function)]
    modules = [getattr(ke.methods, name) for name in ke.methods.__all__]
    for module in (*modules, ke.distributed, ke.inspection, ke.filters, ke.metrics):
        functions += [getattr(module, name) for name in module.__all__]
    for function in functions:
        if isinstance(function, type):
            continue
        assert function.__doc__.startswith("Return"), function
        assert "return" in function.__annotations__, function


def test_without_a_backend_one_sentence_names_the_packages():
    hide = "import sys; sys.modules['tensorflow'] = None; import keras_explainable"
    result = run(hide, KERAS_BACKEND="tensorflow")
    assert result.returncode == 1
    message = result.stderr.strip().splitlines()[-1]
    assert message.startswith(
        "ImportError: keras_explainable needs Keras with a backend"
    )
    assert 'pip install "keras-explainable[tensorflow]"' in message


#: Makes the packages in ``hidden`` look as if they were not installed, and the other
#: backends as if they were.
HIDE = """
import sys
from importlib.machinery import ModuleSpec

class Pretended:
    def find_spec(self, name, *args):
        backends = {"tensorflow", "jax", "torch"}
        return ModuleSpec(name, None) if name in backends else None

class Finder:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, *args):
        hides = name.partition(".")[0] in hidden
        return None if hides else self.finder.find_spec(name, *args)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Finder, [*sys.meta_path, Pretended()])
"""


def run_without(*packages, code, argv=("python",), **environment):
    """Run code where packages are not installed and no backend is chosen."""
    hide = f"hidden = {list(packages)}\n{HIDE}\nsys.argv = {list(argv)}\n"
    return run(hide + code, **{"KERAS_BACKEND": "", **environment})


BACKENDS = ("tensorflow", "jax", "torch")
SHOW = "import keras_explainable, os; print(os.environ['KERAS_BACKEND'])"


@pytest.mark.parametrize("only", BACKENDS)
@pytest.mark.parametrize("settings", [None, '{"backend": "tensorflow"}'])
def test_the_only_backend_installed_is_used(only, settings, tmp_path):
    """Keras itself names TensorFlow in its settings file, whatever is installed."""
    if settings:
        (tmp_path / "keras.json").write_text(settings, encoding="utf-8")
    hidden = {*BACKENDS} - {only}
    result = run_without(*hidden, code=SHOW, KERAS_HOME=str(tmp_path))
    assert result.stdout.split() == [only], result.stderr


def test_keras_runs_on_the_only_backend_installed(tmp_path):
    """The one that these tests run on; CI has all of them in turn."""
    only = keras.backend.backend()
    code = "import keras_explainable as ke; ke.Stats; import keras\n"
    code += "print(keras.backend.backend())"
    hidden = {*BACKENDS} - {only}
    result = run_without(*hidden, code=code, KERAS_HOME=str(tmp_path))
    assert result.stdout.split() == [only], result.stderr


def test_a_choice_is_kept(tmp_path):
    """Two backends are the user's choice, and so is one that is named."""
    result = run_without("tensorflow", code=SHOW, KERAS_HOME=str(tmp_path))
    assert "KERAS_BACKEND=jax or KERAS_BACKEND=torch" in result.stderr
    hidden, home = ("tensorflow", "torch"), {"KERAS_HOME": str(tmp_path)}
    result = run_without(*hidden, code=SHOW, KERAS_BACKEND="torch", **home)
    assert "KERAS_BACKEND=jax (chosen: torch; missing: torch)" in result.stderr
    (tmp_path / "keras.json").write_text('{"backend": "torch"}', encoding="utf-8")
    result = run_without(*hidden, code=SHOW, **home)
    assert "KERAS_BACKEND=jax (chosen: torch; missing: torch)" in result.stderr
    result = run_without(code=SHOW, KERAS_HOME=str(tmp_path))
    assert result.stdout.strip() == ""  # The settings file decides.


def test_the_help_is_shown_without_a_backend(tmp_path):
    hidden = ("keras", *BACKENDS)
    code = "from keras_explainable.cli import main; main()"
    home = {"KERAS_HOME": str(tmp_path)}
    for options in (["--help"], ["explain", "--help"], ["--version"]):
        argv = ["/usr/bin/keras-explainable", *options]
        result = run_without(*hidden, code=code, argv=argv, **home)
        assert result.returncode == 0, result.stderr
        assert "keras-explainable" in result.stdout
    argv = ["/usr/bin/keras-explainable", "explain"]
    result = run_without(*hidden, code=code, argv=argv, **home)
    assert result.returncode == 2
    assert result.stderr.startswith("Error: keras_explainable needs Keras with a")


def test_other_backends_are_refused():
    result = run("import keras_explainable", KERAS_BACKEND="numpy")
    message = result.stderr.strip().splitlines()[-1]
    assert "must be tensorflow, jax or torch" in message
    assert "received 'numpy' (see the environment variable KERAS_BACKEND)" in message


def test_the_backend_of_the_settings_file_is_used(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert installation.chosen_backend() == "tensorflow"
    settings = tmp_path / "keras.json"
    settings.write_text('{"backend": "jax"}', encoding="utf-8")
    assert installation.chosen_backend() == "jax"
    settings.write_text("{broken", encoding="utf-8")
    assert installation.chosen_backend() == "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert installation.chosen_backend() == "torch"


def test_names_are_imported_at_first_use():
    code = "import sys, keras_explainable as ke; print('keras' in sys.modules);"
    result = run(code + "ke.explain; print('keras' in sys.modules, 'demo' in dir(ke))")
    assert result.stdout.split() == ["False", "True", "True"]
    with pytest.raises(AttributeError, match=r"has no attribute 'nothing'$"):
        _ = ke.nothing
    with pytest.raises(AttributeError, match="did you mean gradcam"):
        _ = ke.GradCAM


def test_no_drawing_or_command_line_package_is_imported():
    heavy = "{'matplotlib', 'PIL', 'ray', 'rich', 'typer', 'sklearn'}"
    code = (
        "import sys, keras; before = set(sys.modules); import keras_explainable as ke\n"
        "[getattr(ke, name) for name in ke.__all__]\n"
    )
    result = run(code + f"print({heavy} & (set(sys.modules) - before))")
    assert result.stdout.strip() == "set()", result.stdout + result.stderr


def test_private_keras_is_imported_nowhere():
    for path in SOURCES.rglob("*.py"):
        assert "keras.src" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("gradcam", "cams.gradcam"),
        ("grad_cam", "cams.gradcam"),
        ("smoothgrad", "gradient.smooth_gradients"),
        ("tta", "meta.tta(...)"),
    ],
)
def test_a_method_is_found_in_its_family(name, path):
    with pytest.raises(AttributeError) as caught:
        getattr(ke.methods, name)
    assert str(caught.value).endswith(f"'{name}'; did you mean `ke.methods.{path}`?")
    with pytest.raises(AttributeError, match=r"'anything_else'$"):
        ke.methods.anything_else  # noqa: B018
