"""Type checkers know the shortcuts as they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.scripts import loaded

import keras_explainable as ke

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests/support/typed_program.py"


def test_the_stub_is_current():
    script = loaded("make_stubs")
    current = script.PATH.read_text("utf-8")
    assert current == script.stub(), "run: python tools/make_stubs.py"


@pytest.mark.parametrize(
    "checker",
    [["mypy", "--strict", "--python-executable"], ["pyright", "--pythonpath"]],
    ids=["mypy", "pyright"],
)
def test_a_program_of_a_user_is_checked(checker, tmp_path):
    """It lies outside the checkout, where no settings of this project hold."""
    pytest.importorskip(checker[0], reason="the type checker is not installed")
    program = tmp_path / PROGRAM.name
    program.write_text(PROGRAM.read_text("utf-8"), encoding="utf-8")
    sources = Path(ke.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-m", *checker, sys.executable, program.name],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(sources)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
