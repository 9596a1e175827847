"""Estimators as the plain algorithm: rows in their own units, a constant rate, none held out."""

import inspect
from typing import Any

PLAIN = {
    "standardize": False,
    "learning_rate": "constant",
    "learning_rate_init": 0.001,
    "early_stopping": False,
}


def plain(kind: type, **parameters: Any) -> Any:
    """Return an estimator with these parameters, and those of `PLAIN` that its version has."""
    known = inspect.signature(kind).parameters
    own = {name: value for name, value in PLAIN.items() if name in known}
    return kind(**own | parameters)
