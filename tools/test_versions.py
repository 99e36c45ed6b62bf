"""Runs a short suite of tests with the oldest, the newest and the coming releases.

    python tools/test_versions.py [--releases minimum newest] [--backends jax torch]

Each backend gets an environment of its own, which uv fills and which is removed
afterwards; the newest PyTorch takes gigabytes. Prints a table of releases, and the
last lines of the suites that failed. The exit status is the number of these.

- minimum: the lowest versions that pyproject.toml allows, on the lowest Python;
- newest: the newest versions, on the newest Python that there is;
- nightly: the same, with the nightly build of Keras.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "versions"

RELEASES = ("minimum", "newest", "nightly")
BACKENDS = ("tensorflow", "jax", "torch")
PYTHONS = {"minimum": "3.11", "newest": "3.13", "nightly": "3.13"}

#: What touches most of Keras and of the backends in a few minutes.
SUITE = (
    "tests/backend",
    "tests/cli/test_command.py",
    "tests/demo/test_network.py",
    "tests/demo/test_transformer.py",
    "tests/engine/test_explain.py",
    "tests/engine/test_explain_lowered.py",
    "tests/laws/test_masked_steps.py",
    "tests/laws/test_side_effects.py",
    "tests/laws/test_training_mode.py",
    "tests/lowering/test_lowered_layers.py",
    "tests/methods/attention",
    "tests/methods/cams",
    "tests/methods/gradient",
)


def run(*command: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository, which fails unless ``check=False``."""
    options = {
        "check": True,
        "cwd": ROOT,
        "capture_output": True,
        "text": True,
    } | options
    return subprocess.run([*map(str, command)], **options)


def environment(releases: str, backend: str) -> Path:
    """Return the Python of a new environment with these releases."""
    folder = FOLDER / f"{releases}-{backend}"
    shutil.rmtree(folder, ignore_errors=True)
    run("uv", "venv", "--python", find_python(PYTHONS[releases]), folder)
    python = folder / "bin" / "python"
    lowest = ["--resolution", "lowest-direct"] if releases == "minimum" else []
    install = ["uv", "pip", "install", "--quiet", "--python", python]
    run(*install, *lowest, "--editable", f".[{backend},test]")
    if releases == "nightly":  # It fills the same folder as Keras itself.
        run("uv", "pip", "uninstall", "--quiet", "--python", python, "keras")
        run(*install, "--prerelease", "allow", "keras-nightly")
    return python


def find_python(version: str) -> str:
    """Return the path of a Python of pyenv, or a version for uv to find."""
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    return str(found[-1]) if found else version


def versions(python: Path, backend: str) -> list[str]:
    """Return the versions of Python, Keras, the backend and NumPy."""
    code = (
        "import sys, numpy; from importlib import metadata as m; import keras;"
        f"print(sys.version.split()[0], keras.__version__, m.version({backend!r}),"
        "numpy.__version__)"
    )
    return run(python, "-c", code, env=_environ(backend)).stdout.split()


def _environ(backend: str, releases: str = "") -> dict[str, str]:
    environ = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if releases == "minimum":  # JAX 0.4.35 computes nonsense with what it has kept.
        environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    return environ


def tested(python: Path, releases: str, backend: str) -> tuple[str, str]:
    """Return the last line of the suite, and all that it printed."""
    options = ["-q", "-n", "2", "--dist", "worksteal", "--cases", "some"]
    selected = ["-m", "not cross_backend and not ray and not install", *SUITE]
    done = run(
        *(python, "-m", "pytest", *options, *selected),
        env=_environ(backend, releases),
        check=False,
    )
    summary = re.findall(r"^=*\s*(\d+ .*?) in [\d.]+s", done.stdout, re.MULTILINE)
    return (summary or ["did not run"])[-1], done.stdout + done.stderr


def main() -> int:
    """Print the table, and return the number of suites that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--releases", nargs="+", choices=RELEASES, default=RELEASES)
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--keep", action="store_true", help="keep the environments")
    args = parser.parse_args()
    failed = []
    print("| Releases | Python | Keras | Backend | NumPy | Tests |")
    print("|---|---|---|---|---|---|")
    for releases in args.releases:
        for backend in args.backends:
            python = environment(releases, backend)
            own, keras, engine, numpy = versions(python, backend)
            summary, printed = tested(python, releases, backend)
            cells = releases, own, keras, f"{backend} {engine}", numpy, summary
            print("|", " | ".join(cells), "|", flush=True)
            if "failed" in summary or "passed" not in summary:
                failed.append(f"\n{releases}, {backend}:\n{printed[-6000:]}")
            if not args.keep:
                shutil.rmtree(python.parents[1])
    print(*failed)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
