"""`LossCurveDisplay`: the loss against epochs."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..recording import Recording
from ..trace.inspected import network_of
from ._axes import GREY, LineDisplay, name_of, tidy

LOG_FROM = 50.0  # a curve that falls by this factor is drawn on a logarithmic axis


class LossCurveDisplay(LineDisplay):
    """The loss against epochs; on a logarithmic axis if the first curve falls far.

    Parameters
    ----------
    epochs, losses : array-like of shape (n,)
        A loss that is not finite (training diverged) is left out and said in the legend; if none is
        finite, in the middle of the axes.
    name : str, default=None
        For the legend.
    validation_losses : array-like of shape (m,), default=None
        Loss of held-out rows after some epochs: a dashed line.
    validation_epochs : array-like of shape (m,), default=None
        After which; None is the last m.

    Attributes
    ----------
    ax_, figure_
        What was drawn on last.
    line_ : matplotlib.lines.Line2D
    validation_line_ : matplotlib.lines.Line2D, or None
    """

    line_: Any
    validation_line_: Any

    def __init__(
        self,
        *,
        epochs: ArrayLike,
        losses: ArrayLike,
        name: str | None = None,
        validation_losses: ArrayLike | None = None,
        validation_epochs: ArrayLike | None = None,
    ) -> None:
        self.epochs: NDArray[np.float64] = np.asarray(epochs, dtype=np.float64)
        self.losses: NDArray[np.float64] = np.asarray(losses, dtype=np.float64)
        self.name = name
        self.validation_losses: NDArray[np.float64] = np.asarray(
            () if validation_losses is None else validation_losses, dtype=np.float64
        )
        if validation_epochs is None:
            validation_epochs = self.epochs[len(self.epochs) - len(self.validation_losses) :]
        self.validation_epochs: NDArray[np.float64] = np.asarray(validation_epochs, np.float64)

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Any = None, name: str | None = None, **line: Any
    ) -> Self:
        """Draw the ``loss_curve_`` of a fitted estimator, and its ``validation_loss_curve_``.

        Of a stream, whose first losses are no longer kept, each loss stands at its own epoch.

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
        losses, history = estimator.loss_curve_, estimator._history
        display = cls(
            epochs=history.epochs,
            losses=losses,
            name=name_of(estimator, name),
            validation_losses=estimator.validation_loss_curve_,
            validation_epochs=history.validation_epochs,
        )
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

    def _draw(self, ax: Any, **line: Any) -> None:
        ax = self._on(ax)
        finite = np.isfinite(self.losses)
        label = self.name
        if not finite.all():
            label = f"{label or 'training'} (diverged)"
        marker = "o" if finite.sum() == 1 else None  # a line needs two points
        options = {"label": label, "marker": marker, **line}
        (self.line_,) = ax.plot(self.epochs[finite], self.losses[finite], **options)
        self.validation_line_ = self._draw_validation(ax) if self.validation_losses.size else None
        if self.losses.size and not finite.any():
            reason = "training diverged in the first epoch:\nno loss to draw"
            ax.text(0.5, 0.5, reason, transform=ax.transAxes, ha="center", va="center", color=GREY)
        lowest, highest = (
            self.losses[finite].min(initial=np.inf),
            self.losses[finite].max(initial=0),
        )
        if 0 < lowest < highest / LOG_FROM:
            ax.set_yscale("log")
        ax.set_xlabel("epoch")
        ax.set_ylabel("mean loss of a row")
        tidy(ax)
        if label is not None or self.validation_line_ is not None:
            ax.legend(frameon=False)

    def _draw_validation(self, ax: Any) -> Any:
        finite = np.isfinite(self.validation_losses)
        (line,) = ax.plot(
            self.validation_epochs[finite],
            self.validation_losses[finite],
            color=self.line_.get_color(),
            linestyle="--",
            marker=self.line_.get_marker(),
            label=f"{self.name or 'training'}, held-out rows",
        )
        return line
