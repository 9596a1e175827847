"""`Probes`: which knobs to move first, so that every sensitivity is measured with few moves."""

from __future__ import annotations

import numpy as np

from .sensitivity import Sensitivities
from .stage import Knob
from .tree import Floats, Tree


class Probes:
    """Moves that change at most one unknown input of any stage, wherever the stages allow it.

    Since the values between the stages are observed, many sensitivities can be measured by one
    move: that of the house flow to the main valve and those of all showers to the house flow by
    turning the main valve; then those to all shower handles by turning these at the same time. A
    knob that does not answer is moved twice as far, up to both of its bounds.

    Attributes
    ----------
    began_at : ndarray of shape (n_knobs,)
        The settings before the first probe.
    moved : ndarray of bool of shape (n_edges,)
        The edges whose input the last probe was meant to change.
    """

    def __init__(self, tree: Tree, settings: Floats) -> None:
        self._tree = tree
        self._below = tree.edges_below()
        self._settings_to_try = [
            _settings_to_try(knob, start)
            for knob, start in zip(tree.knobs, settings.tolist(), strict=True)
        ]
        self.began_at = settings
        self.moved = np.zeros(len(tree.source), dtype=bool)

    def next(self, settings: Floats, sensitivities: Sensitivities) -> Floats | None:
        """Return the settings of the next probe, or None if nothing is left to measure."""
        dest, n_nodes = self._tree.dest, len(self._tree.names)
        unknown = ~sensitivities.is_measured
        wanted = [
            knob
            for knob, below in enumerate(self._below)
            if self._settings_to_try[knob] and unknown[below].any()
        ]
        self.moved = np.zeros(len(dest), dtype=bool)
        turned = []
        for knob in wanted:
            moved = self.moved.copy()
            moved[self._below[knob]] = True
            if np.bincount(dest[moved & unknown], minlength=n_nodes).max() <= 1:
                self.moved = moved
                turned += [knob]  # else its turn comes later
        if wanted and not turned:  # some stage always sees two unknown inputs of it change
            turned = wanted[:1]
            self.moved[self._below[turned[0]]] = True
        settings = settings.copy()
        for knob in turned:
            settings[knob] = self._settings_to_try[knob].pop(0)
        return settings if turned else None


def _settings_to_try(knob: Knob, start: float) -> list[float]:
    """Return settings ever farther from the start, towards the farther bound; last, the nearer."""
    assert knob.probe is not None
    upwards = knob.high - start >= start - knob.low
    sign, far, near = (1, knob.high, knob.low) if upwards else (-1, knob.low, knob.high)
    settings, stride = [], knob.probe
    while stride < abs(far - start):
        settings.append(start + sign * stride)
        stride *= 2
    settings.append(far)
    return settings if near == start else [*settings, near]
