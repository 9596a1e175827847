"""`GradientFlowDisplay`: the size of each layer's gradient while a network learns."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..recording import Recording, record
from ._axes import LineDisplay, shades, tidy


class GradientFlowDisplay(LineDisplay):
    """The size of each layer's gradient over time: whether every layer gets to learn.

    A first layer far below the last is starved of gradient (saturated units, dead ReLUs); curves
    that rise are on their way to divergence.

    Parameters
    ----------
    epochs : array-like of shape (n,)
    gradient_norms : array-like of shape (n, n_layers)
        Euclidean norm of the gradient of the mean loss, layer by layer. 0 is a gap in the line.

    Attributes
    ----------
    ax_, figure_
        What was drawn on last.
    lines_ : list of matplotlib.lines.Line2D
        One a layer.
    """

    lines_: list[Any]

    def __init__(self, *, epochs: ArrayLike, gradient_norms: ArrayLike) -> None:
        self.epochs: NDArray[np.float64] = np.asarray(epochs, dtype=np.float64)
        self.gradient_norms: NDArray[np.float64] = np.asarray(gradient_norms, dtype=np.float64)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        every: int | None = None,
        ax: Any = None,
        **line: Any,
    ) -> Self:
        """Train a clone of an estimator, and draw what was recorded.

        Parameters
        ----------
        estimator : BackpropClassifier or BackpropRegressor
            Fitted or not; is not changed.
        X, y : array-like
            What to train on.
        every : int, default=None
            Steps between points, see `fastbp.record`.
        ax : matplotlib axes, default=None
            None makes a new figure.
        **line
            For matplotlib's ``plot``.

        Returns
        -------
        GradientFlowDisplay
        """
        from sklearn.base import clone

        return cls.from_recording(record(clone(estimator), X, y, every=every), ax=ax, **line)

    @classmethod
    def from_recording(cls, recording: Recording, *, ax: Any = None, **line: Any) -> Self:
        """Draw the gradients of the recorded snapshots.

        Parameters
        ----------
        recording : Recording
            What `fastbp.record` returned.
        ax, **line
            As for `from_estimator`.

        Returns
        -------
        GradientFlowDisplay
        """
        display = cls(epochs=recording.epochs, gradient_norms=recording.gradient_norms)
        return display.plot(ax, **line)

    def _draw(self, ax: Any, **line: Any) -> None:
        ax = self._on(ax)
        n_layers = self.gradient_norms.shape[1]
        sizes = np.where(self.gradient_norms > 0, self.gradient_norms, np.nan)
        self.lines_ = []
        for layer, colour in enumerate(shades(n_layers)):
            label = f"layer {layer + 1}"
            if layer in (0, n_layers - 1) and n_layers > 1:
                label += " (first)" if layer == 0 else " (last)"
            if np.isnan(sizes[-1, layer]):
                label += ": 0 in the end"
            options = {"color": colour, "label": label, **line}
            self.lines_ += ax.plot(self.epochs, sizes[:, layer], **options)
        if np.isfinite(sizes).any():
            ax.set_yscale("log")
        ax.set_xlabel("epoch")
        ax.set_ylabel("norm of the gradient")
        tidy(ax)
        ax.legend(frameon=False)
