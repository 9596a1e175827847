"""The page as a file, as text, and isolated within another page."""

from __future__ import annotations

import html
import json
from importlib import resources
from typing import Any

HEIGHT = 820  # of an embedded page, in CSS pixels


def program() -> str:
    """Return the page's program, a JavaScript module with its style and licences."""
    return resources.files(__package__).joinpath("page.js").read_text(encoding="utf-8")


def document(data: dict[str, Any], title: str, without_scripts: str) -> str:
    """Return the page of some data as one HTML document that needs nothing else.

    Parameters
    ----------
    data : dict
        Of `step_page_data` or `recording_page_data`.
    title : str
    without_scripts : str
        What is shown where scripts do not run.
    """
    template = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    parts = {
        "title": html.escape(title),
        "without_scripts": html.escape(without_scripts),
        # No text can end the element that it stands in: < is written as an escape of JSON's.
        "data": json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
        "program": program(),
    }
    pieces = template.split("@@")
    return "".join(parts.get(piece, piece) for piece in pieces)


def embedded(page: str, title: str) -> str:
    """Return an element that shows a page within another, kept apart from it."""
    return (
        f'<iframe srcdoc="{html.escape(page)}" title="{html.escape(title)}" '
        f'sandbox="allow-scripts" style="width: 100%; height: {HEIGHT}px; border: 0" '
        'loading="lazy"></iframe>'
    )
