"""`SensitivityDisplay`: how much each output changes with each feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._printable import plain_label
from ..network.checks import check_whole
from ..trace.inspected import names_of, network_of
from ._axes import GREY, NEGATIVE, POSITIVE, Display, name_of_feature, pyplot, tidy


class SensitivityDisplay(Display):
    """How much each output changes with each feature, averaged over rows.

    One output: a bar a feature, as long as the mean size of its derivative; in it the mean with
    its sign, which is shorter where the feature pushes some rows up and others down. Several
    outputs: a table of the means with their signs.

    Parameters
    ----------
    mean, mean_absolute : array-like of shape (n_outputs, n_features)
        What ``sensitivity`` returns with these summaries.
    feature_names, output_names : sequence of str
    relative : bool, default=False
        Whether they are elasticities.
    max_features : int, default=20
        Features that are drawn: those of the largest mean size.

    Attributes
    ----------
    ax_, figure_
        What was drawn on last.
    shown_ : ndarray of int
        The features drawn, the strongest first.
    """

    shown_: NDArray[np.int64]

    def __init__(
        self,
        *,
        mean: ArrayLike,
        mean_absolute: ArrayLike,
        feature_names: Sequence[str],
        output_names: Sequence[str],
        relative: bool = False,
        max_features: int = 20,
    ) -> None:
        self.mean: NDArray[np.float64] = np.asarray(mean, dtype=np.float64)
        self.mean_absolute: NDArray[np.float64] = np.asarray(mean_absolute, dtype=np.float64)
        self.feature_names, self.output_names = list(feature_names), list(output_names)
        self.relative = relative
        self.max_features = check_whole("max_features", max_features)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        relative: bool = False,
        max_features: int = 20,
        ax: Any = None,
    ) -> Self:
        """Compute the sensitivities on these rows, and draw them.

        Parameters
        ----------
        estimator : Network, or fitted BackpropClassifier or BackpropRegressor
        X : array-like or sparse matrix of shape (n, n_features)
        relative : bool, default=False
            Elasticities: per cent for per cent.
        max_features : int, default=20
            Features that are drawn: those of the largest mean size.
        ax : matplotlib axes, default=None
            None makes a new figure.

        Returns
        -------
        SensitivityDisplay
        """
        network_of(estimator)
        names = names_of(estimator)
        n_features = getattr(estimator, "n_features_in_", len(names.features))  # without marks
        display = cls(
            mean=estimator.sensitivity(X, summary="mean", relative=relative),
            mean_absolute=estimator.sensitivity(X, summary="mean_absolute", relative=relative),
            feature_names=[
                name_of_feature(name, k) for k, name in enumerate(names.features[:n_features])
            ],
            output_names=_outputs(estimator, names.outputs),
            relative=relative,
            max_features=max_features,
        )
        return display.plot(ax)

    def _draw(self, ax: Any) -> None:
        strength = self.mean_absolute.mean(axis=0)
        self.shown_ = np.argsort(-strength, kind="stable")[: self.max_features]
        height = 1.2 + 0.28 * len(self.shown_)
        n_outputs = len(self.mean)
        ax = self._on(ax, (6.0 if n_outputs == 1 else 3.5 + 0.75 * n_outputs, height))
        shown = [plain_label(self.feature_names[i]) for i in self.shown_]
        ax.set_yticks(range(len(shown)), shown)
        (self._bars if n_outputs == 1 else self._table)(ax)
        if len(self.shown_) < len(strength):
            ax.set_title(
                f"the {len(self.shown_)} strongest of {len(strength)} features",
                fontsize="medium",
                color=GREY,
                loc="left",
            )

    def _bars(self, ax: Any) -> None:
        mean, size = self.mean[0, self.shown_], self.mean_absolute[0, self.shown_]
        places = np.arange(len(mean))
        colours = np.where(mean > 0, POSITIVE, NEGATIVE)
        sides = np.where(mean < 0, -size, size)
        ax.barh(places, sides, height=0.75, color=colours.tolist(), alpha=0.3)
        ax.barh(places, mean, height=0.35, color=colours.tolist())
        ax.axvline(0, color=GREY, linewidth=0.8)
        ax.invert_yaxis()
        kind = "elasticity" if self.relative else "derivative"
        what = f"{kind} of {plain_label(self.output_names[0])}"
        ax.set_xlabel(f"{what}\nmean over rows (dark), mean of the sizes (light)")
        tidy(ax)
        ax.grid(visible=False, axis="y")

    def _table(self, ax: Any) -> None:
        values = self.mean[:, self.shown_].T
        largest = float(np.abs(values).max()) or 1.0
        image = ax.imshow(values, cmap="RdBu", vmin=-largest, vmax=largest, aspect="auto")
        ax.set_xticks(range(len(self.mean)), list(map(plain_label, self.output_names)))
        pyplot().setp(ax.get_xticklabels(), rotation=30, ha="right", rotation_mode="anchor")
        ax.tick_params(length=0)
        for (row, column), value in np.ndenumerate(values):
            colour = "white" if abs(value) > 0.6 * largest else "black"
            ax.text(column, row, f"{value:.2g}", ha="center", va="center", color=colour, fontsize=8)
        kind = "elasticity" if self.relative else "derivative"
        self.figure_.colorbar(image, ax=ax, label=f"mean {kind}")


def _outputs(estimator: Any, names: Sequence[str]) -> list[str]:
    """Return what an axis calls the outputs: a single one in full, several by their names."""
    if not hasattr(estimator, "classes_"):
        return [f"output {name}" if name == str(k) else name for k, name in enumerate(names)]
    before = "the probability of class " if len(names) == 1 else "class "
    return [before + name if len(names) == 1 or name.isdigit() else name for name in names]
