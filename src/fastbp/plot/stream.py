"""`StreamDisplay`: how well a stream is predicted while it is learned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from ..online import StreamProgress, learn_progressively
from ._axes import GREY, NEGATIVE, POSITIVE, LineDisplay, tidy


class StreamDisplay(LineDisplay):
    """The score of a stream, of all rows and of the last ones, and what appeared on the way.

    Parameters
    ----------
    progress : StreamProgress
        What `fastbp.online.learn_progressively` returned.
    name : str, default=None
        For the legend.

    Attributes
    ----------
    ax_, figure_
        What was drawn on last.
    line_, window_line_, baseline_ : matplotlib.lines.Line2D
        Score of all rows so far, of the last ``progress.window``, and of the baseline.
    growth_ax_ : matplotlib axes, or None
        Of the numbers of features and classes, on the right; None where neither changed after the
        first rows.
    """

    line_: Any
    window_line_: Any
    baseline_: Any
    growth_ax_: Any

    def __init__(self, *, progress: StreamProgress, name: str | None = None) -> None:
        self.progress, self.name = progress, name

    @classmethod
    def from_model(
        cls,
        model: Any,
        stream: Iterable[tuple[Any, Any]],
        *,
        window: int = 500,
        ax: Any = None,
        name: str | None = None,
        **line: Any,
    ) -> Self:
        """Predict each row of a stream, then learn it, and draw the scores.

        Parameters
        ----------
        model : OnlineClassifier or OnlineRegressor, or an estimator of river
            It learns on.
        stream : iterable of (x, y)
        window : int, default=500
            Rows that the score of the last ones is of.
        ax : matplotlib axes, default=None
            None makes a new figure.
        name : str, default=None
            For the legend; None is the name of the class.
        **line
            For matplotlib's ``plot``.

        Returns
        -------
        StreamDisplay
        """
        progress = learn_progressively(model, stream, window=window)
        return cls(progress=progress, name=name or type(model).__name__).plot(ax, **line)

    def _draw(self, ax: Any, **line: Any) -> None:
        ax, progress = self._on(ax), self.progress
        classifies = progress.metric == "accuracy"
        baseline = "the last label" if classifies else "the mean so far"
        (self.baseline_,) = ax.plot(
            progress.rows, progress.baseline, color=GREY, linestyle=":", label=baseline
        )
        (self.window_line_,) = ax.plot(
            progress.rows,
            progress.window_score,
            color=POSITIVE,
            alpha=0.4,
            label=f"the last {progress.window:,} rows",
        )
        options = {"color": POSITIVE, "label": f"{self.name or 'model'}, all rows", **line}
        (self.line_,) = ax.plot(progress.rows, progress.score, **options)
        if not classifies:
            ax.set_ylim(0, self._largest_error())
        ax.set_xlabel("row")
        ax.set_ylabel(progress.metric)
        tidy(ax)
        lines = [self.baseline_, self.window_line_, self.line_]
        self.growth_ax_ = self._draw_growth(ax, lines)
        ax.legend(handles=lines, frameon=False)

    def _largest_error(self) -> float:
        """Return where the axis ends: without the first rows, of which nothing was known."""
        progress = self.progress
        first = min(len(progress.rows) - 1, len(progress.rows) // 20 + 1)
        shown = progress.window_score[first:] + progress.baseline[first:] + progress.score[first:]
        return 1.1 * max(shown) or 1.0

    def _draw_growth(self, ax: Any, lines: list[Any]) -> Any:
        """Draw how many features and classes there were, if that changed; add to the lines."""
        progress = self.progress
        counts = {"features": progress.n_features, "classes": progress.n_classes}
        first = min(len(progress.rows) - 1, len(progress.rows) // 20)  # after the first rows
        changed = {name: values for name, values in counts.items() if len(set(values[first:])) > 1}
        if not changed:
            return None
        right = ax.twinx()
        for (name, values), style in zip(changed.items(), ("--", "-."), strict=False):
            options = {"color": NEGATIVE, "linestyle": style, "label": name}
            lines += right.step(progress.rows, values, where="post", **options)
        right.set_ylabel(" and ".join(changed) + " so far")
        right.spines[["top"]].set_visible(False)
        right.set_ylim(bottom=0)
        right.yaxis.get_major_locator().set_params(integer=True)
        return right
