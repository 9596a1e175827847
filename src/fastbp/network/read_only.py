"""`read_only`: attributes that say how an object was made, and cannot be assigned to."""

from __future__ import annotations

import operator
from typing import Any


def read_only(name: str, doc: str) -> Any:
    """Return a property that reads ``_name`` and refuses to be assigned to or deleted.

    Parameters
    ----------
    name : str
    doc : str
        Its docstring.
    """

    def refuse(self: object, *_: object) -> None:
        kind = type(self).__name__
        raise AttributeError(
            f"{name} cannot be changed: it is chosen when a {kind} is made, and its memory and "
            f"compiled parts are made for it. Make another {kind} with the {name} you need."
        )

    return property(operator.attrgetter(f"_{name}"), refuse, refuse, doc)
