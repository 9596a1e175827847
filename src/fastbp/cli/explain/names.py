"""What the page calls inputs and outputs, where the user has names for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any


def named(page: Any, features: Iterable[str] | None = None, outputs: Any = None) -> Any:
    """Return a trace or recording with these names instead of its own.

    Names of another number than there are inputs or outputs are left out: they name something else.
    """
    names = page.names
    for of, new in (("features", features), ("outputs", outputs)):
        new = () if new is None else tuple(map(str, new))
        if len(new) == len(getattr(names, of)):
            names = dataclasses.replace(names, **{of: new})
    return dataclasses.replace(page, names=names)


def without_step(name: str) -> str:
    """Return the name of a ColumnTransformer's output without the step that made it."""
    return name.split("__", 1)[-1]
