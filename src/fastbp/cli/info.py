"""``fastbp info``: what is in a file of a model."""

from __future__ import annotations

import argparse
from typing import Any

from .._messages import counted
from .._printable import printable
from .console import say, say_result
from .encoding import KINDS, groups_of
from .model_file import loaded

MOST_NAMES = 20  # of columns or classes in a line


def run(options: argparse.Namespace) -> int:
    """Say what is in the file; return the exit code."""
    model = loaded(options.model)
    about = _about(model)
    size = options.model.stat().st_size
    say(f"{options.model}: {about['model']}, {size / 1000:,.0f} kB")
    for name, value in about.items():
        if name not in ("model", "columns"):
            say(f"  {name}: {_shown(value)}")
    for kind, names in about.get("columns", {}).items():
        say(f"  {kind}: {_shown(names)}")
    say_result({"file": str(options.model), "bytes": size, **about})
    return 0


def _about(model: Any) -> dict[str, Any]:
    """Return what a model says of itself, as far as it does."""
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    about: dict[str, Any] = {"model": type(last).__name__}
    if last is not model:
        about["model"] = f"{type(model).__name__} that ends in a {type(last).__name__}"
    network = getattr(last, "network_", last)
    for name, of, attribute in (
        ("layers", network, "layer_sizes"),
        ("parameters", network, "n_parameters"),
        ("activation", last, "activation"),
        ("solver", last, "solver"),
        ("epochs", last, "n_iter_"),
        ("rows", last, "n_samples_seen_"),
        ("classes", last, "classes_"),
        ("features", last, "n_features_"),
    ):
        value = getattr(of, attribute, None)
        if value is not None:
            about[name] = value.tolist() if hasattr(value, "tolist") else value
    groups = groups_of(model)
    if groups:
        about["columns"] = {KINDS[group]: names for group, names in groups.items()}
    elif hasattr(last, "feature_names_in_"):
        about["columns"] = {"numbers": list(map(str, last.feature_names_in_))}
    return about


def _shown(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if not isinstance(value, (list, tuple)):
        return str(value)
    names = ", ".join(printable(str(one)) for one in value[:MOST_NAMES])
    more = len(value) - MOST_NAMES
    return names + (f" and {counted(more, 'other')}" if more > 0 else "")
