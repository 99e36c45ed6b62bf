"""Pages with their outputs, for readers of the repository's web page, are current."""

import re
from pathlib import Path

import pytest
from PIL import Image
from support.scripts import TOOLS, loaded

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "rendered"
MOST_BYTES = 800_000  # of all pictures

PAGE = """---
kernelspec: {}
---

# Title

See [cam](methods/cam.md#cost), [api](api.md), [`ke.f`](#keras_explainable.f), [up](#a).

```{toctree}
:hidden:

other
```

```{image} _static/a.png
:alt: A picture.
```

```{code-cell} ipython3
def f():
    return 1


f()
```

```{code-cell} ipython3
:tags: [remove-input]

f() + 1
```
"""

RENDERED = """\
<!-- Made from docs/page.md by `make rendered`. -->

# Title

See [cam](methods/cam.md#cost), [api](../api.md), `ke.f`, [up](#a).

![A picture.](../_static/a.png)

```python
def f():
    return 1


f()
```

<!-- output {0} -->

```text
[1](api.md)
```

<!-- end -->

<!-- output {1} -->

<!-- end -->
"""


@pytest.fixture
def render_pages(monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)
    return loaded("render_pages")


@pytest.fixture
def markdown(render_pages):
    return render_pages.page_markdown


def test_pages_are_current(render_pages, markdown):
    names = render_pages.page_names()
    assert {x.relative_to(FOLDER).as_posix() for x in FOLDER.rglob("*.md")} == names
    for name in sorted(names):
        page = (DOCS / name).read_text("utf-8")
        text = (FOLDER / name).read_text("utf-8")
        current = {cell.key for cell in markdown.cells(page)}
        assert current == {*markdown.outputs(text)}, f"{name}: run `make rendered`"
        expected = markdown.rendered(page, name, markdown.outputs(text), names)
        assert text == expected, "run: python tools/render_pages.py --text"


def test_pictures_are_small_and_none_is_left_over():
    pages = [(page, page.read_text("utf-8")) for page in FOLDER.rglob("*.md")]
    shown = {
        (page.parent / link).resolve()
        for page, text in pages
        for link in re.findall(r"\]\((\S+\.webp)\)", text)
        if "_static" not in link
    }
    assert {*(FOLDER / "pictures").iterdir()} == shown
    assert sum(path.stat().st_size for path in shown) < MOST_BYTES


def test_a_page_is_rendered_and_its_outputs_are_found_again(markdown):
    keys = [cell.key for cell in markdown.cells(PAGE)]
    found = {keys[0]: "```text\n[1](api.md)\n```", keys[1]: ""}
    text = markdown.rendered(PAGE, "page.md", found, {"page.md", "methods/cam.md"})
    assert text == RENDERED.format(*keys)
    assert markdown.outputs(text) == found


def test_outputs_of_other_code_are_not_taken(markdown):
    before = [cell.key for cell in markdown.cells(PAGE)]
    after = [cell.key for cell in markdown.cells(PAGE.replace("return 1", "return 2"))]
    assert not {*before} & {*after}  # The second cell depends on the first one.
    with pytest.raises(KeyError):
        markdown.rendered(PAGE, "page.md", dict.fromkeys(after, ""), set())


def test_pictures_of_other_machines_are_the_same(render_pages):
    noise = Image.effect_noise((90, 60), 40)
    lighter = noise.point(lambda value: value + 3)
    assert render_pages.is_same(noise, lighter.resize((180, 120)))
    assert not render_pages.is_same(noise, noise.rotate(180))
    assert not render_pages.is_same(noise, noise.resize((90, 90)))


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        ("```text\nthe error is 0.2\n```", True),
        ("```text\nno method has converged\n```", False),
        ("![the error is](a.webp)", False),
        ("", False),
    ],
)
def test_texts_of_other_machines_are_the_same(render_pages, other, alike):
    assert render_pages.are_alike("```text\nthe error is 0.1\n```", other) == alike
