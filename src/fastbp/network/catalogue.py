"""Activations and losses by name, and which of them belong together."""

from __future__ import annotations

from typing import Any

from .._messages import counted
from .checks import check_choice
from .tables import HIDDEN_ACTIVATIONS
from .tables import LOSSES as CATALOGUE

LOSSES = tuple(CATALOGUE)
OUT_ACTIVATIONS = {name: loss.out_activations for name, loss in CATALOGUE.items()}


def hidden_activations(activation: Any, n_hidden: int) -> tuple[str, ...]:
    """Return one name a hidden layer, each an activation that hidden layers can have."""
    if isinstance(activation, str):
        return (check_choice("activation", activation, HIDDEN_ACTIVATIONS),) * n_hidden
    try:
        names = tuple(activation)
    except TypeError:
        names = (activation,)
    if len(names) != n_hidden:
        raise ValueError(
            f"activation lists {counted(len(names), 'name')}, but the network has "
            f"{counted(n_hidden, 'hidden layer')}"
        )
    return tuple(
        check_choice(f"activation[{i}]", name, HIDDEN_ACTIVATIONS) for i, name in enumerate(names)
    )


def out_activation_of(out_activation: str | None, loss: str, n_outputs: int) -> str:
    """Return the output activation: the one given, or the usual one."""
    allowed = OUT_ACTIVATIONS[loss]
    if out_activation is None:
        return "logistic" if loss == "log_loss" and n_outputs == 1 else allowed[0]
    out_activation = check_choice(
        "out_activation", out_activation, allowed, of_what=f" with loss={loss!r}"
    )
    if out_activation == "softmax" and n_outputs == 1:
        raise ValueError("softmax needs at least two outputs; use logistic for one")
    return out_activation
