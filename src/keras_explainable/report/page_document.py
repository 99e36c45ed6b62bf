"""What all pages of reports have in common: one file that fetches nothing."""

import base64
import functools
import hashlib
import importlib.resources
from collections.abc import Sequence
from html import escape
from typing import Any


def start(
    title: str,
    images: str,
    styles: Sequence[str],
    script: str | None = None,
    loads: bool = False,
) -> str:
    """Return a page up to its body.

    Args:
        title: Title of the window.
        images: Where images may come from, as in a content security policy.
        styles: Names of the style sheets.
        script: Name of the script that may run.
        loads: Whether it may load other scripts.
    """
    policy = f"default-src 'none'; img-src {images}; style-src 'unsafe-inline'"
    if script:
        policy += f";\n  script-src 'sha256-{_digest(resource(script))}'"
        policy += " 'strict-dynamic'" if loads else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
  content="{policy}">
<title>{escape(title)}</title>
<style>
{"".join(map(resource, styles))}</style>
</head>
<body>
"""


@functools.cache
def resource(name: str) -> str:
    """Return the text of a file beside this one."""
    folder = importlib.resources.files("keras_explainable.report")
    return (folder / name).read_text(encoding="utf-8")


def notices(summary: dict[str, Any], done: str) -> str:
    """Return what is missing in a report: an interruption, and failures.

    Args:
        summary: The facts of the report.
        done: What was to be done with the images, such as "explained".
    """
    found = []
    if summary["interrupted"]:
        found.append(
            '<p class="notice">The run was interrupted; this page shows the '
            "images completed by then.</p>"
        )
    if failures := summary["failures"]:
        items = "".join(
            f"<li><strong>{escape(failure['name'])}</strong> "
            f"{escape(failure['reason'])}</li>"
            for failure in failures
        )
        found.append(
            f'<section class="notice"><h2>{images_text(failures)} could not be {done}'
            f"</h2><ul>{items}</ul></section>"
        )
    return "\n".join(found)


def settings(labels: dict[str, str], values: dict[str, Any]) -> str:
    """Return the list of settings, in the order of their labels, that have a value."""
    items = "".join(
        f"<div><dt>{label}</dt><dd>{escape(str(values[key]))}</dd></div>"
        for key, label in labels.items()
        if values.get(key) is not None
    )
    return f'<dl class="settings">{items}</dl>'


def creation(summary: dict[str, Any], work: str) -> str:
    """Return when, with which software and in what time a report was made.

    Args:
        summary: The facts of the report.
        work: What took this time.
    """
    names = [name for name in summary["versions"] if name != "backend"]
    versions = ", ".join(f"{name} {summary['versions'][name]}" for name in names)
    day, seconds = escape(summary["started"][:10]), summary["seconds"]
    return f"Created on {day} with {escape(versions)}.\n{work} took {seconds:.1f} s."


def images_text(listed: Sequence[Any]) -> str:
    """Return the number of images in words."""
    return "1 image" if len(listed) == 1 else f"{len(listed)} images"


def listing(names: Sequence[str]) -> str:
    """Return names as "one, two and three"."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
