"""The example of CONTRIBUTING.md runs as printed, and its test can fail."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


@pytest.fixture
def names():
    """Return the names that the code of the page defines."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 2
    namespace = {}
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), namespace)
    return namespace


def example_test(names):
    (test,) = (value for name, value in names.items() if name.startswith("test_"))
    return test


def test_example_passes_its_test(names):
    example_test(names)()


def test_wrong_method_fails_its_test(names):
    right = names["grey_gradients"]

    def wrong(*args):
        logits, maps = right(*args)
        return logits, 2 * maps

    names["grey_gradients"] = wrong
    with pytest.raises(AssertionError):
        example_test(names)()


def test_linked_files_exist():
    text = PAGE.read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert len(links) >= 2
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
