"""`LearningRateDisplay`: the loss that training ends with, against the learning rate."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ..estimators.defaults import rate_of
from ..exceptions import DivergenceWarning
from ..network.checks import check_number
from ._axes import GREY, NEGATIVE, POSITIVE, LineDisplay, tidy

RATES = tuple(np.geomspace(1e-4, 1.0, 13).tolist())
AS_GOOD = 1.05  # times the least loss: rates up to there are as good as any


class LearningRateDisplay(LineDisplay):
    """The loss that training ends with, against the learning rate: too small, right, too large.

    Parameters
    ----------
    rates, losses : array-like of shape (n,)
        A loss that is not finite (training diverged) is a cross at the upper edge.
    of_held_out : bool, default=True
        Whether it is that of held-out rows.
    chosen : float, default=None
        A rate to mark: the estimator's own.

    Attributes
    ----------
    ax_, figure_
        What was drawn on last.
    line_ : matplotlib.lines.Line2D
    best_rate : float
        Of the least loss.
    """

    line_: Any

    def __init__(
        self,
        *,
        rates: ArrayLike,
        losses: ArrayLike,
        of_held_out: bool = True,
        chosen: float | None = None,
    ) -> None:
        order = np.argsort(np.asarray(rates, np.float64))
        self.rates: NDArray[np.float64] = np.asarray(rates, np.float64)[order]
        self.losses: NDArray[np.float64] = np.asarray(losses, np.float64)[order]
        self.of_held_out, self.chosen = of_held_out, chosen
        finite = np.where(np.isfinite(self.losses), self.losses, np.inf)
        self.best_rate = float(self.rates[int(np.argmin(finite))])

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        rates: ArrayLike = RATES,
        ax: Any = None,
        **line: Any,
    ) -> Self:
        """Train copies of an estimator at several rates, and draw the losses that they end with.

        The estimator stays as it is, fitted or not. Of rows that it holds out the least loss is
        taken, otherwise the last one of training.

        Parameters
        ----------
        estimator : BackpropClassifier or BackpropRegressor
        X, y
            As for its ``fit``.
        rates : array-like of float, default=13 rates from 0.0001 to 1
            Each takes as long as a fit.
        ax : matplotlib axes, default=None
            None makes a new figure.
        **line
            For matplotlib's ``plot``.

        Returns
        -------
        LearningRateDisplay
        """
        tried = [
            check_number(f"rates[{k}]", rate, above=0) for k, rate in enumerate(np.ravel(rates))
        ]
        fits = [_fitted(estimator, X, y, rate) for rate in tried]
        own = rate_of(estimator, fits[0].n_features_in_, is_fit=True)
        display = cls(
            rates=tried,
            losses=[_last_loss(fit) for fit in fits],
            of_held_out=fits[0].validation_loss_curve_ is not None,
            chosen=own,
        )
        return display.plot(ax, **line)

    def _draw(self, ax: Any, **line: Any) -> None:
        ax = self._on(ax)
        finite = np.isfinite(self.losses)
        (self.line_,) = ax.plot(
            self.rates[finite], self.losses[finite], **{"marker": "o", "color": POSITIVE, **line}
        )
        ax.set_xscale("log")
        if finite.any() and self.losses[finite].min() > 0:
            ax.set_yscale("log")
        ax.set_xlim(self.rates[0] / 1.3, self.rates[-1] * 1.3)
        if not finite.all():
            edge = np.full(np.count_nonzero(~finite), 0.97)
            across = ax.get_xaxis_transform()
            ax.plot(self.rates[~finite], edge, "x", color=NEGATIVE, transform=across)
        if finite.any():
            self._draw_regions(ax, finite)
        if self.chosen is not None:
            ax.axvline(self.chosen, color=GREY, linestyle=":", label=f"{self.chosen:g}, its own")
            ax.legend(frameon=False)
        ax.set_xlabel("learning rate")
        ax.set_ylabel("loss of held-out rows" if self.of_held_out else "loss in the last epoch")
        tidy(ax)

    def _draw_regions(self, ax: Any, finite: NDArray[np.bool_]) -> None:
        """Shade the rates that are as good as the best, and name those beside them."""
        good = self.rates[finite & (self.losses <= AS_GOOD * np.min(self.losses[finite]))]
        low, high = good[0] / 1.15, good[-1] * 1.15
        ax.axvspan(low, high, color=POSITIVE, alpha=0.12, linewidth=0)
        left, right = ax.get_xlim()
        for begin, end, text in (
            (left, low, "too small"),
            (low, high, "right"),
            (high, right, "too large"),
        ):
            if end > 2 * begin:
                where = np.sqrt(begin * end)
                across = ax.get_xaxis_transform()
                ax.text(where, 0.9, text, transform=across, ha="center", color=GREY)


def _fitted(estimator: Any, X: Any, y: Any, rate: float) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DivergenceWarning)
        return clone(estimator).set_params(learning_rate_init=rate).fit(X, y)


def _last_loss(model: Any) -> float:
    """Return the loss that training came to: of held-out rows its least."""
    if model.diverged_:
        return np.inf
    curve = model.validation_loss_curve_
    return float(model.loss_ if curve is None else np.min(curve))
