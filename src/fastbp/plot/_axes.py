"""What the pictures have in common: axes to draw on, and colours that mean the same in all."""

from __future__ import annotations

from typing import Any, Self

POSITIVE, NEGATIVE = "#30638e", "#d1495b"  # distinct for colour-blind readers too
GREY, GRID = "#5c6370", "#e4e6ea"


class Display:
    """Base of the pictures.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on last.
    figure_ : matplotlib.figure.Figure
        The figure it belongs to.
    """

    ax_: Any
    figure_: Any

    def _on(self, ax: Any, size: tuple[float, float] = (6.0, 4.0)) -> Any:
        """Return the axes to draw on, new ones if None were given."""
        if ax is None:
            _, ax = pyplot().subplots(figsize=size, layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        return ax

    def plot(self, ax: Any = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            None makes a new figure.

        Returns
        -------
        self
        """
        self._draw(ax)
        return self

    def _draw(self, ax: Any) -> None:
        raise NotImplementedError


class LineDisplay(Display):
    """Base of the pictures of lines."""

    def plot(self, ax: Any = None, **line: Any) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            None makes a new figure.
        **line
            For matplotlib's ``plot``.

        Returns
        -------
        self
        """
        self._draw(ax, **line)
        return self

    def _draw(self, ax: Any, **line: Any) -> None:
        raise NotImplementedError


def pyplot() -> Any:
    """Return matplotlib's pyplot.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    try:
        import matplotlib.pyplot
    except ImportError as error:
        raise ImportError("Pictures need matplotlib: python -m pip install matplotlib") from error
    return matplotlib.pyplot


def tidy(ax: Any) -> None:
    """Give axes a light grid, and no frame above and to the right."""
    ax.grid(color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def shades(n: int) -> list[Any]:
    """Return n colours from dark to light: layers from the first to the last."""
    colours = pyplot().get_cmap("viridis")
    return [colours(0.85 * k / max(n - 1, 1)) for k in range(n)]


def name_of_feature(name: str, k: int) -> str:
    """Return the name of feature k: x[k] where it has none, as on the page."""
    return f"x[{k}]" if name == str(k) else name


def name_of(estimator: Any, name: str | None) -> str:
    """Return the name for a legend."""
    return type(estimator).__name__ if name is None else name
