"""The warning of training that diverged."""

from __future__ import annotations

import warnings

from .._messages import level_of_caller
from ..exceptions import DivergenceWarning


def warn_of_divergence(
    name: str, learning_rate: float, kept: str = "from before this call"
) -> None:
    """Give a `DivergenceWarning` that names the learning rate as the user knows it.

    ``kept`` says which weights the network has.
    """
    warnings.warn(
        f"Training diverged with {name}={learning_rate:g}: the loss has grown beyond all bounds, "
        f"or a weight is no longer finite. It stopped, and the weights {kept} are kept. "
        f"Try a smaller {name}, or scale "
        "inputs and targets (for instance with sklearn.preprocessing.StandardScaler and "
        "sklearn.compose.TransformedTargetRegressor).",
        DivergenceWarning,
        stacklevel=level_of_caller(),
    )
