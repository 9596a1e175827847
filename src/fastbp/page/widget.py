"""The page as a widget of notebooks, by anywidget."""

from __future__ import annotations

import functools
import json
from typing import Any

from .document import program


def widget(data: dict[str, Any]) -> Any:
    """Return a widget that shows the page of some data."""
    return _widget_class()(page=json.dumps(data, allow_nan=False))


@functools.cache
def _widget_class() -> Any:
    """Define the widget's class, when first needed."""
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise ImportError(
            'a widget needs anywidget: python -m pip install "fastbp[widget]"; '
            "to_html does without."
        ) from error

    class PageWidget(anywidget.AnyWidget):
        """A page of fastbp; ``frame`` and ``idea`` say what it shows, and can be set."""

        _esm = program()
        page = traitlets.Unicode().tag(sync=True)
        frame = traitlets.Int(0, min=0).tag(sync=True)
        idea = traitlets.Int(0, min=0).tag(sync=True)

    return PageWidget
