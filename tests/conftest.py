"""Fixtures for all tests."""

import importlib.util
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")
if "PYTEST_XDIST_WORKER" in os.environ:  # Workers share the cores: one thread each.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
# Much is compiled and little is computed; what one test compiled serves the others,
# those of other processes and later runs too.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault(  # For the tests that do optimise: not the slow passes of LLVM.
    "XLA_FLAGS",
    "--xla_backend_optimization_level=1 --xla_llvm_disable_expensive_passes=true",
)
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache/jax")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import keras
import numpy as np
import pytest

if keras.backend.backend() == "jax":
    import jax
if keras.backend.backend() == "tensorflow":  # As above: most graphs are run once.
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

#: The other packages live in an environment of their own (`make test-peers`).
collect_ignore = [] if importlib.util.find_spec("captum") else ["peers"]

#: So does Ray, until `make test-ray` installs it.
collect_ignore += [] if importlib.util.find_spec("ray") else ["distributed"]

SHARED = Path(__file__).parents[2] / "shared"

#: Folders and files marked `backend_independent`: what does the same on every backend,
#: and what a rewritten graph computes, in Keras' operations only.
BACKEND_INDEPENDENT = (
    "benchmarks/",
    "cli/",
    "common/",
    "compatibility/test_axes.py",
    "compatibility/test_inspection.py",
    "compatibility/test_localization_page.py",
    "demo/",
    "distributed/",
    "documents/",
    "engine/test_batch_source.py",
    "engine/test_progress_in_notebooks.py",
    "engine/test_zero_maps.py",
    "evaluation/",
    "explorer/",
    "inspection/",
    "laws/test_noise_on_quantities.py",
    "lowering/test_compare_outputs.py",
    "methods/attention/test_attention_methods.py",
    "methods/cams/test_minmaxcam.py",
    "methods/cams/test_several_calls.py",
    "methods/cams/test_tokens.py",
    "methods/cams/test_wrapped_layers.py",
    "methods/slopes/test_nonlinearities.py",
    "methods/slopes/test_relu_before_pooling.py",
    "methods/slopes/test_several_outputs.py",
    "network/test_graph.py",
    "network/test_several_inputs.py",
    "plotting/",
    "realdata/test_methods.py",
    "realdata/test_transformer.py",
    "report/",
    "targets/",
)

#: Of these, files and tests that every backend runs: the bundled network, the command,
#: and what is compared with other packages.
ON_EVERY_BACKEND = (
    "test_against_scipy.py",
    "test_network.py",
    "test_the_demonstration_prints_the_path_of_the_page",
    "test_keras_runs_on_the_only_backend_installed",
)

#: `--cases=some` runs one case in this many of a test with parameters.
EVERY = 8


def pytest_addoption(parser):
    text = "run all tests in all cases (default), or what CI runs on a slow backend"
    parser.addoption("--cases", choices=("all", "some"), default="all", help=text)


def pytest_collection_modifyitems(config, items):
    for item in items:
        path = item.path.relative_to(Path(__file__).parent).as_posix()
        everywhere = {item.path.name, item.name} & {*ON_EVERY_BACKEND}
        if path.startswith(BACKEND_INDEPENDENT) and not everywhere:
            item.add_marker(pytest.mark.backend_independent)
    if config.getoption("cases") == "some":
        some = {*map(id, _some_cases(items, keras.backend.backend() == "jax"))}
        config.hook.pytest_deselected(items=[i for i in items if id(i) not in some])
        items[:] = [i for i in items if id(i) in some]


def _some_cases(items, on_jax):
    """Return cases of all tests of the backend, and of some that do not depend on it.

    JAX compiles the many networks slowly. It runs every second test of the backend and
    none of the others, and other cases than TensorFlow.
    """
    tests = {}
    for item in items:
        tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    alike, others = [], []
    for cases in tests.values():
        independent = cases[0].get_closest_marker("backend_independent")
        (alike if independent else others).append(cases)
    chosen = others[::2] if on_jax else others + alike[::3]
    first = EVERY // 2 if on_jax else 0
    return [i for cases in chosen for i in cases[first % len(cases) :: EVERY]]


def _mappings():
    maps = Path("/proc/self/maps")
    return len(maps.read_text().splitlines()) if maps.exists() else 0


@pytest.fixture(autouse=True, scope="module")
def _release_programs():
    """JAX maps its programs into memory, and Linux maps 65,530 regions of a process."""
    yield
    if keras.backend.backend() == "jax" and _mappings() > 20_000:
        jax.clear_caches()


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shared():
    """The folder of shared material beside the checkout, which is never committed."""
    if not (SHARED / "realdata").is_dir():
        reason = "the shared folder with real networks is not beside the checkout"
        # CI has the folder: there, a missing one is a failure, no reason to skip.
        (pytest.fail if os.environ.get("REQUIRE_REALDATA") else pytest.skip)(reason)
    return SHARED
