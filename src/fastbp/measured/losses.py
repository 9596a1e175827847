"""How unhappy one is with a deviation from the target, and the derivatives of that."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .tree import Floats

# deviation d = y - target -> (E, dE/dy), element by element; names and factors as in Network
LOSSES: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "absolute_error": (np.abs, np.sign),
    "squared_error": (lambda d: 0.5 * d * d, lambda d: d),
}
