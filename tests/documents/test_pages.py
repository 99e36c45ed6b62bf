"""Links in the documents lead somewhere, and each method has a page."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import keras
import numpy as np
import pytest
from support.scripts import loaded

import keras_explainable as ke

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts),
]
NAMED = pytest.mark.parametrize("page", PAGES, ids=lambda x: str(x.relative_to(ROOT)))


def links(page):
    """Return what a page links to, and its pictures in HTML."""
    text = page.read_text("utf-8")
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)


def anchors(page):
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", x.lower()).replace(" ", "-") for x in headings}


def is_wrong(page, link):
    """Whether a link leads nowhere; other sites' are only read, not opened."""
    parts = urlsplit(link)
    if parts.scheme:
        return parts.scheme != "https" or "." not in parts.netloc
    if link.startswith("#keras_explainable."):
        return False  # Of the API reference: Sphinx checks these.
    target = page.parent / parts.path if parts.path else page
    if not target.exists():
        return True
    return bool(parts.fragment) and parts.fragment not in anchors(target)


@NAMED
def test_links_lead_somewhere(page):
    assert [link for link in links(page) if is_wrong(page, link)] == []


@NAMED
def test_files_named_in_the_text_exist(page):
    text = page.read_text("utf-8").replace("docs/_build", "")  # Made by `make docs`.
    named = re.findall(r"\b((?:docs|benchmarks|tests)/[\w/.-]*\w)", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_wrong_links_are_found():
    page = ROOT / "README.md"
    right = [
        "docs/getting_started.md",
        "docs/performance.md#measured",
        "https://keras.io",
    ]
    wrong = [
        "docs/no.md",
        "docs/performance.md#no",
        "#no",
        "http://keras.io",
        "https://keras",
    ]
    assert [link for link in right + wrong if is_wrong(page, link)] == wrong


def test_each_method_is_in_the_figure_and_has_a_page_with_all_that_belongs_to_it():
    table = (DOCS / "methods.md").read_text("utf-8")
    of_the_table = dict(re.findall(r"\[`([\w.]+)`\]\(([\w/]+\.md)\)", table))
    families = ("gradient", "cams", "attention", "perturbation", "meta")
    methods = {
        f"{family}.{name}"
        for family in families
        for name in getattr(ke.methods, family).__all__
        if name != "completeness_gap"
    }
    assert set(of_the_table) == methods
    questions = loaded("make_methods_picture").QUESTIONS.values()
    assert {name for found in questions for name in found.values()} == methods
    for method, page in of_the_table.items():
        text = (DOCS / page).read_text("utf-8")
        assert re.search(r"^    maps = |^    as gradients", text, re.MULTILINE), page
        assert "ke.utils.visualize(" in text, page
        if page.startswith("methods/"):
            assert f"](#keras_explainable.methods.{method})" in text, page
            assert re.search(r"\*\*Reference\.\*\* .*\]\(https://", text), page
            assert "**Parameters.**" in text, page
            assert "**When it misleads.**" in text, page


def test_the_figure_of_all_methods_is_small():
    assert (DOCS / "_static/methods.webp").stat().st_size < 300_000


def of_image_and_age():
    image = keras.Input((8, 8, 3), name="image")
    age = keras.Input((1,), name="age")
    features = keras.layers.Conv2D(2, 3, padding="same")(image)
    both = keras.layers.Concatenate()([keras.layers.Flatten()(features), age])
    return keras.Model({"image": image, "age": age}, keras.layers.Dense(2)(both))


def of_label_and_mask():
    image = keras.Input((8, 8, 3))
    mask = keras.layers.Conv2D(1, 3, padding="same")(image)
    label = keras.layers.Dense(2)(keras.layers.Flatten()(mask))
    picture = keras.layers.Conv2D(3, 1)(mask)
    outputs = {"label": label, "mask": mask, "picture": picture}
    return keras.Model(image, outputs)


def blocks(name):
    """Return a page's code that `make docs` does not run."""
    text = (DOCS / name).read_text("utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def run(code, **names):
    exec(compile(code, "docs", "exec"), {"ke": ke, "keras": keras} | names)


def test_code_of_the_first_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("index.md")
    run(code)
    assert (tmp_path / "maps.png").stat().st_size > 10_000


def test_code_of_explaining_a_model_of_ones_own_runs(tmp_path, monkeypatch):
    images, labels = (part[:2] for part in ke.demo.load_samples()[:2])
    *simple, targets, functions, several, _, training = blocks(
        "explaining_your_model.md"
    )
    assert len(simple) == 2
    model, small = ke.demo.load_model(), of_label_and_mask()
    for code in simple:
        run(code, model=model, x=images, y=labels)
    names = {
        "with_names": small,
        "segmentation": keras.Model(small.input, small.output["mask"]),
        "autoencoder": keras.Model(small.input, small.output["picture"]),
        "masks": np.ones((2, 8, 8), bool),
        "other_embeddings": model.predict(images, verbose=0),
        "weights": np.ones((2, 1)),
        "weighted_sum": lambda outputs, weights: (outputs * weights)[:, 0],
        "labels": labels,
    }
    for line in [*targets.splitlines(), *functions.splitlines()]:
        x = images if "(model" in line else images[:, :8, :8]
        run(line, model=model, x=x, **names)
    ages = np.ones((2, 1), "float32")
    run(
        several, model=of_image_and_age(), images=images[:, :8, :8], ages=ages, y=[0, 1]
    )
    monkeypatch.chdir(tmp_path)
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = images.astype("float32")
    run(training, model=model, x=x, y=labels, x_test=x, y_test=labels)
    assert (tmp_path / "explanations/smoothgrad/epoch_0005.png").exists()
    assert (tmp_path / "explanations/index.html").exists()


def test_values_of_stats_that_are_listed_exist():
    images, labels = (part[:2] for part in ke.demo.load_samples()[:2])
    found = ke.smoothgrad(
        ke.demo.load_model(), images, labels, repetitions=2, return_stats=True
    )
    (code,) = blocks("uncertainty.md")
    run(code, stats=found[2])
