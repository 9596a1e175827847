"""`LossCurveDisplay`: the loss against epochs."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._subject import network_of
from ..recording import Recording
from ._axes import Display, name_of, tidy

LOG_FROM = 50.0  # a curve that falls by this factor is drawn on a logarithmic axis


class LossCurveDisplay(Display):
    """The loss against epochs.

    Parameters
    ----------
    epochs, losses : array-like of shape (n,)
        A loss that is not finite (training diverged) is left out and said in the legend.
    name : str, default=None
        For the legend.

    Attributes
    ----------
    ax_, figure_
        What was drawn on last.
    line_ : matplotlib.lines.Line2D
    """

    line_: Any

    def __init__(self, *, epochs: ArrayLike, losses: ArrayLike, name: str | None = None) -> None:
        self.epochs: NDArray[np.float64] = np.asarray(epochs, dtype=np.float64)
        self.losses: NDArray[np.float64] = np.asarray(losses, dtype=np.float64)
        self.name = name

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Any = None, name: str | None = None, **line: Any
    ) -> Self:
        """Draw the ``loss_curve_`` of a fitted estimator.

        Parameters
        ----------
        estimator : BackpropClassifier or BackpropRegressor, fitted
        ax : matplotlib axes, default=None
            None makes a new figure.
        name : str, default=None
            For the legend; None is the name of the class.
        **line
            For matplotlib's ``plot``.

        Returns
        -------
        LossCurveDisplay
        """
        if network_of(estimator) is estimator:
            raise TypeError(
                "A Network keeps no loss curve: train it with fastbp.record, and draw "
                "LossCurveDisplay.from_recording"
            )
        losses = estimator.loss_curve_
        epochs = np.arange(1, len(losses) + 1)
        display = cls(epochs=epochs, losses=losses, name=name_of(estimator, name))
        return display.plot(ax, **line)

    @classmethod
    def from_recording(
        cls, recording: Recording, *, ax: Any = None, name: str | None = None, **line: Any
    ) -> Self:
        """Draw the loss of the recorded snapshots, which may be several an epoch.

        Parameters
        ----------
        recording : Recording
            What `fastbp.record` returned.
        ax, name, **line
            As for `from_estimator`.

        Returns
        -------
        LossCurveDisplay
        """
        return cls(epochs=recording.epochs, losses=recording.losses, name=name).plot(ax, **line)

    def plot(self, ax: Any = None, **line: Any) -> Self:
        """Draw the curve; on a logarithmic axis if it falls far.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            None makes a new figure.
        **line
            For matplotlib's ``plot``.

        Returns
        -------
        LossCurveDisplay
        """
        ax = self._on(ax)
        finite = np.isfinite(self.losses)
        label = self.name
        if not finite.all():
            label = f"{label or 'training'} (diverged)"
        marker = "o" if finite.sum() == 1 else None  # a line needs two points
        options = {"label": label, "marker": marker, **line}
        (self.line_,) = ax.plot(self.epochs[finite], self.losses[finite], **options)
        lowest, highest = (
            self.losses[finite].min(initial=np.inf),
            self.losses[finite].max(initial=0),
        )
        if 0 < lowest < highest / LOG_FROM:
            ax.set_yscale("log")
        ax.set_xlabel("epoch")
        ax.set_ylabel("mean loss of a row")
        tidy(ax)
        if label is not None:
            ax.legend(frameon=False)
        return self
