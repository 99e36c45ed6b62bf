"""The package works with a single backend, in an environment that holds nothing else.

`make test-install` makes such environments with pip, in each Python that is there.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_explainable as ke

pytestmark = pytest.mark.install

ROOT = Path(__file__).parents[2]

#: PyTorch of this release has no libraries of gigabytes for GPUs; see CONTRIBUTING.md.
CONSTRAINTS = {"torch": ["torch==2.13.0"]}

#: Each backend and each Python once: an environment takes a minute.
CASES = [("3.11", "torch"), ("3.11", "jax"), ("3.12", "tensorflow"), ("3.13", "jax")]

#: What a newcomer would write, without a setting for the backend.
PROGRAM = """
import json
import keras_explainable as ke
import keras

model, x = ke.demo.load_model(), ke.demo.load_samples().images[:2]
logits, maps = ke.smoothgrad(model, x, "predicted", repetitions=4, estimator="sampled")
assert maps.shape == (2, 96, 96, 1) and maps.std() > 0
logits, maps = ke.gradients(model, x, "predicted")
print(json.dumps([keras.backend.backend(), ke.__file__, maps.tolist()]))
"""


def find_python(version):
    """Return the Python of a version on the path, or of pyenv; None without any."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}"), *pyenv.glob(f"{version}.*/bin/python3")]
    for each in filter(None, found):
        printed = "import sys; print(*sys.version_info[:2], sep='.')"
        if run([each, "-c", printed], check=False).stdout.strip() == version:
            return str(each)
    return None


def run(command, check=True, **options):
    """Run a command as from a shell that sets nothing for Keras or Python."""
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("KERAS", "PYTHON"))
    }
    done = subprocess.run(command, env=kept, capture_output=True, text=True, **options)
    assert not check or done.returncode == 0, done.stderr[-2000:]
    return done


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT])
    [found] = folder.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def expected():
    model, x = ke.demo.load_model(), ke.demo.load_samples().images[:2]
    return ke.gradients(model, x, "predicted", verbose=0).maps


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case), scope="module")
def installed(request, wheel, tmp_path_factory):
    """Return a backend, and the Python of an environment that has nothing else."""
    version, backend = request.param
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    python = sys.executable if version == own else find_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version}")
    folder = tmp_path_factory.mktemp("environment")
    run([python, "-m", "venv", folder])
    python = folder / "bin" / "python"
    wanted = [f"{wheel}[{backend}]", *CONSTRAINTS.get(backend, [])]
    run([python, "-m", "pip", "install", "--quiet", *wanted])
    yield backend, python
    shutil.rmtree(folder)


def test_one_backend_alone_explains_the_bundled_images(installed, expected, tmp_path):
    backend, python = installed
    found = run([python, "-c", PROGRAM], cwd=tmp_path).stdout.splitlines()[-1]
    chosen, file, maps = json.loads(found)
    assert chosen == backend
    assert not Path(file).is_relative_to(ROOT)
    np.testing.assert_allclose(maps, expected, atol=1e-4)


def test_the_command_says_what_it_needs(installed, tmp_path):
    _, python = installed
    command = python.parent / "keras-explainable"
    for arguments in (["--help"], ["explain"]):
        done = run([command, *arguments], check=False, cwd=tmp_path)
        assert done.returncode == 1
        assert 'pip install "keras-explainable[cli]"' in done.stderr
