"""`NetworkDisplay`: units and weights, large networks in part."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .._printable import plain_label
from ..network import Network
from ..network.checks import check_whole
from ..trace.inspected import Names, names_of, network_of
from ._axes import GREY, NEGATIVE, POSITIVE, Display, name_of_feature, pyplot

THINNEST, WIDEST = 0.15, 3.5  # points, of weights from 0 to the largest of a layer


class NetworkDisplay(Display):
    """A drawing of a network: inputs on the left, outputs on the right, a line a weight.

    Blue is positive and red negative, in lines and in the filling of units, which is their bias;
    width and depth of colour show the size, relative to the largest of the layer. Of layers with
    more than ``max_units`` units only the strongest are drawn: those with the largest sum of sizes
    of weights. How many there are in all stands below.

    Parameters
    ----------
    network : Network
    names : Names, default=None
        Of features and outputs.
    max_units : int, default=12
        Units of a layer that are drawn.

    Attributes
    ----------
    ax_, figure_
        What was drawn on last. ``figure_.savefig("network.svg")`` writes it as SVG.
    shown_ : list of ndarray of int
        The units drawn of each layer, inputs first.
    """

    shown_: list[NDArray[np.int64]]

    def __init__(
        self, *, network: Network, names: Names | None = None, max_units: int = 12
    ) -> None:
        self.network = network
        self.names = names_of(network) if names is None else names
        self.max_units = check_whole("max_units", max_units)

    @classmethod
    def from_estimator(cls, estimator: Any, *, max_units: int = 12, ax: Any = None) -> Self:
        """Draw the network of a fitted estimator.

        Parameters
        ----------
        estimator : Network, or fitted BackpropClassifier or BackpropRegressor
        max_units : int, default=12
            Units of a layer that are drawn.
        ax : matplotlib axes, default=None
            None makes a new figure.

        Returns
        -------
        NetworkDisplay
        """
        network, names = network_of(estimator), names_of(estimator)
        return cls(network=network, names=names, max_units=max_units).plot(ax)

    def _draw(self, ax: Any) -> None:
        network = self.network
        self.shown_ = [self._strongest(layer) for layer in range(len(network.layer_sizes))]
        n_max = max(map(len, self.shown_))
        ax = self._on(ax, (2.2 + 2.0 * len(self.shown_), 1.6 + 0.45 * n_max))
        places = [_column(x, len(units), n_max) for x, units in enumerate(self.shown_)]
        for layer in range(len(network.weights)):
            self._draw_weights(ax, layer, places[layer], places[layer + 1])
        for layer, xy in enumerate(places):
            self._draw_units(ax, layer, xy)
        self._write(ax, places)
        ax.set(xlim=(-0.75, len(places) - 0.25), ylim=(-1.6, n_max - 0.4))
        ax.set_aspect("auto")
        ax.axis("off")

    def _strongest(self, layer: int) -> NDArray[np.int64]:
        """Return the units of a layer that are drawn, 0 being the inputs, in their order."""
        weights = self.network.weights
        strength = np.zeros(self.network.layer_sizes[layer])
        if layer > 0:
            strength += np.abs(weights[layer - 1]).sum(axis=0)
        if layer < len(weights):
            strength += np.abs(weights[layer]).sum(axis=1)
        chosen: NDArray[np.int64] = np.sort(np.argsort(-strength, kind="stable")[: self.max_units])
        return chosen

    def _draw_weights(
        self, ax: Any, layer: int, left: NDArray[np.float64], right: NDArray[np.float64]
    ) -> None:
        from matplotlib.collections import LineCollection

        W = self.network.weights[layer][np.ix_(self.shown_[layer], self.shown_[layer + 1])]
        sizes = np.abs(W).ravel() / (float(np.abs(self.network.weights[layer]).max()) or 1.0)
        order = np.argsort(sizes, kind="stable")  # the strongest on top
        ends = np.array([[a, b] for a in left for b in right])
        lines = LineCollection(
            list(ends[order]),
            colors=np.where(W.ravel() > 0, POSITIVE, NEGATIVE)[order].tolist(),
            linewidths=(THINNEST + (WIDEST - THINNEST) * sizes)[order],
            alpha=(0.15 + 0.7 * sizes)[order],
            zorder=1,
        )
        ax.add_collection(lines)

    def _draw_units(self, ax: Any, layer: int, xy: NDArray[np.float64]) -> None:
        fill: Any = "white"
        if layer > 0:
            biases = self.network.biases[layer - 1]
            shares = biases[self.shown_[layer]] / (float(np.abs(biases).max()) or 1.0)
            to_rgba = pyplot().matplotlib.colors.to_rgb
            fill = [
                [1 - 0.8 * abs(s) * (1 - c) for c in to_rgba(POSITIVE if s > 0 else NEGATIVE)]
                for s in shares.tolist()
            ]
        ax.scatter(*xy.T, s=170, c=fill, edgecolors=GREY, linewidths=1.0, zorder=2)

    def _write(self, ax: Any, places: list[NDArray[np.float64]]) -> None:
        """Write names beside inputs and outputs, and below each layer what it is."""
        features = [name_of_feature(name, k) for k, name in enumerate(self.names.features)]
        names = [features, self.names.outputs]
        for layer, side, column in ((0, "right", names[0]), (len(places) - 1, "left", names[1])):
            shift = -0.12 if layer == 0 else 0.12
            for (x, y), unit in zip(places[layer], self.shown_[layer], strict=True):
                ax.text(x + shift, y, plain_label(column[unit]), ha=side, va="center", fontsize=9)
        activations = [*self.network.activation, self.network.out_activation]
        for layer, n in enumerate(self.network.layer_sizes):
            last = layer == len(places) - 1
            kind = "input" if layer == 0 else "output" if last else "unit"
            text = f"{n} {kind}{'s' * (n > 1)}"
            if len(self.shown_[layer]) < n:
                text = f"{len(self.shown_[layer])} of {text} shown"
            if layer:
                text += f"\n{activations[layer - 1]}"
            ax.text(layer, -0.85, text, ha="center", va="top", fontsize=9, color=GREY)


def _column(x: int, n: int, n_max: int) -> NDArray[np.float64]:
    """Return places of n units, from the top down, in the middle of a column."""
    top = (n_max - 1 + n - 1) / 2
    return np.array([(x, top - k) for k in range(n)], dtype=np.float64)
