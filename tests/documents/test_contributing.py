"""The example of CONTRIBUTING.md runs as printed, and its test can fail."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


@pytest.fixture
def names():
    """What the page's code defines."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 2
    found = {}
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), found)
    return found


def the_test(names):
    (found,) = (value for name, value in names.items() if name.startswith("test_"))
    return found


def test_the_example_passes_its_test(names):
    the_test(names)()


def test_a_wrong_method_fails_it(names):
    right = names["grey_gradients"]

    def wrong(*args):
        logits, maps = right(*args)
        return logits, 2 * maps

    names["grey_gradients"] = wrong
    with pytest.raises(AssertionError):
        the_test(names)()


def test_files_that_are_named_exist():
    text = PAGE.read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert len(links) >= 2
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
