"""``fastbp explain``: pages with every number of backpropagation."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from pathlib import Path
from typing import Any

from ...io.files import is_regular_file
from ..console import UserError, mistakes_of_files, say
from ..outputs import check_output
from ..parser import PAGE


def run(options: argparse.Namespace) -> int:
    """Write the page, show it in a browser, and return the exit code."""
    output = options.output or PAGE
    check_output(output, options.model, options.data)
    for page, path, name in _pages(options, output):
        with mistakes_of_files():
            page.to_html(path)
        _show(path, name, opens=not options.no_open and _has_display())
    return 0


def _show(path: Path, name: str, *, opens: bool) -> None:
    """Say what was written, and open it in a browser; a device or a pipe holds no page to open."""
    if not is_regular_file(path):
        return say(f"{name}: {path}")
    say(f"{name}: {path} ({path.stat().st_size / 1000:,.0f} kB)")
    address = path.resolve().as_uri()
    if not (opens and webbrowser.open(address)):
        say(f"    open it in a browser: {address}")
    return None


def _pages(options: argparse.Namespace, output: Path) -> list[tuple[Any, Path, str]]:
    """Return what can be written as a page, where to, and what to call it."""
    if options.model is not None:
        from .model_file import step_of_model

        return [(step_of_model(options), output, "One step of the model")]
    if options.data is not None:
        from .training import training_on

        return [(training_on(options), output, "Training")]
    from .salaries import salaries
    from .shower import shower

    if output.exists() and not is_regular_file(output):
        raise UserError(f"{output} is no regular file: two pages need two, see --output")
    beside = output.with_stem(f"{output.stem}_shower")
    return [(salaries(), output, "Nine parameters"), (shower(), beside, "The shower")]


def _has_display() -> bool:
    """Return whether a browser would have a screen to open a window on."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
