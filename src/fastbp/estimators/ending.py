"""Why a fit ended, in words."""

from __future__ import annotations

import numpy as np

from .._messages import counted
from ..training.run import History
from ..training.stopping import Ending
from .defaults import Settings

WORTH_SAYING = 0.1  # share of a layer's units that are dead


def text_of_ending(
    ending: Ending | None,
    settings: Settings,
    history: History,
    dead: list[tuple[int, int]] | None = None,
) -> str:
    """Return why a fit ended, and of which epoch the weights are, as a few sentences.

    ``dead`` has, layer by layer, how many of how many units are.
    """
    n_epochs = history.n_epochs - history.n_before
    if ending is None and settings.is_fit:
        return f"Training was interrupted after {counted(n_epochs, 'epoch')}."
    if ending is None:
        return "The last call was partial_fit, which has no end."
    held_out = settings.by_validation and bool(history.validation_epochs)
    judged = "the loss" if not held_out else f"the {_judged(settings)} of held-out rows"
    reasons = {
        "converged": f"Training ended after {counted(n_epochs, 'epoch')}: {judged} had not "
        f"improved in the last {settings.n_iter_no_change:g}.",
        "max_iter": f"All {counted(n_epochs, 'epoch')} were made.",
        "stopped": f"A callback ended training after {counted(n_epochs, 'epoch')}.",
        "diverged": f"Training diverged in epoch {n_epochs}.",
        "diverged_in_round": f"Training diverged in epoch {n_epochs}.",
    }
    sentences = [reasons[ending], _kept(ending, settings, history)]
    if ending == "max_iter" and history.falls_as_at_first:
        sentences.append(
            "The loss still fell as it did at first: a larger learning rate, or more epochs, "
            "would have led further."
        )
    for layer, (n_dead, n) in enumerate(dead or [], start=1):
        if n_dead >= WORTH_SAYING * n:
            sentences.append(f"{n_dead} of {counted(n, 'unit')} of hidden layer {layer} are dead.")
    return " ".join(sentences)


def _judged(settings: Settings) -> str:
    return "loss" if settings.by_loss else "score"


def _kept(ending: Ending, settings: Settings, history: History) -> str:
    """Return of which epoch the weights are."""
    if settings.by_validation and history.validation_epochs:
        values = history.validation_losses if settings.by_loss else history.validation_scores
        best = int(np.argmin(values) if settings.by_loss else np.argmax(values))
        return (
            f"The weights are those of epoch {history.validation_epochs[best]}, which had the best "
            f"{_judged(settings)} of held-out rows."
        )
    if ending == "diverged":
        return "The weights are those of the best epoch, or the initial ones if they are better."
    if ending == "diverged_in_round":
        return "The weights are those from before the last round."
    return "The weights are those of the last epoch."
