"""`Sensitivities`: change in a stage's value per change in an input, learnt from changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .tree import Floats, Tree

ROUNDING = 1e-15  # relative noise of every observation: a few units in the last place
TIMES_THE_NOISE = 3.0  # a change that is seen is larger than this many standard deviations


class Sensitivities:
    """What is known of every edge of a tree.

    Attributes
    ----------
    slope : ndarray of shape (n_edges,)
        Sensitivity of the stage ``tree.dest`` to its input ``tree.source``.
    is_measured : ndarray of bool of shape (n_edges,)
        Whether a change of this input alone has been seen.
    is_tried : ndarray of bool of shape (n_edges,)
        Whether this input has been moved to measure it, whatever was seen.
    noise : ndarray of shape (n_stages,)
        Standard deviation of one observation; NaN while not known.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.slope = np.zeros(len(tree.source))
        self.is_measured = np.zeros(len(tree.source), dtype=bool)
        self.is_tried = np.zeros(len(tree.source), dtype=bool)
        given = [np.nan if stage.noise is None else stage.noise for stage in tree.stages]
        self.noise = np.array(given, dtype=np.float64)
        self._is_estimated = np.isnan(self.noise)
        self._n_looks = 0

    def known(self) -> Floats:
        """Return the slopes, NaN where nothing has been learnt of one yet."""
        return np.where(self.is_tried | (self.slope != 0), self.slope, np.nan)

    def look_twice(self, change: Floats) -> None:
        """Learn the noise from a change of nodes that happened while no knob was moved."""
        self._take_noise(np.abs(change[self._tree.n_knobs :]))

    def seen(self, change: Floats, values: Floats) -> NDArray[np.bool_]:
        """Return for every stage whether a change of its value stands out from the noise."""
        return np.abs(change) > TIMES_THE_NOISE * np.sqrt(2 * self._variance(values))

    def measure(self, change: Floats, values: Floats, moved: NDArray[np.bool_]) -> None:
        """Learn from a probe: divide the change of a value by that of its one new input.

        What the inputs that are known account for is taken off first. A stage that is fed from one
        knob along two ways can only see its inputs change together: then the least slopes that
        explain the change, ``rest du / |du|^2``, which is ``rest / du`` for one input.
        """
        tree = self._tree
        du, dv = change[tree.source], change[tree.n_knobs :]
        rest = dv - self._sum(np.where(self.is_measured, self.slope * du, 0))
        stage = tree.dest - tree.n_knobs
        new = moved & ~self.is_measured & (du != 0) & self.seen(rest, values)[stage]
        squares = self._sum(np.where(new, du * du, 0))
        slope = rest[stage] * du / np.where(new, squares[stage], 1)
        self._accept(np.where(new, slope, self.slope))
        self.is_measured |= new
        self.is_tried |= moved & (du != 0)

    def learn(self, change: Floats, values: Floats) -> None:
        """Learn from a move, whatever it changed: Broyden's secant update, stage by stage.

        ``s += (dv - s . du) du / (|du|^2 + 2 noise^2 / |s|^2)``: the least change of the slopes
        s that explains the change dv of the value by those of the inputs, du. The last term keeps
        a change that the noise would hide from being taken for news; it is 0 without noise. Where
        a stage should have answered and did not, the slopes are halved instead: in a dead zone
        they would become 0, and with them the direction that leads out of it.

        Source: C. G. Broyden, "A class of methods for solving nonlinear simultaneous equations",
        Mathematics of Computation 19 (1965).
        """
        tree = self._tree
        du, dv = change[tree.source], change[tree.n_knobs :]
        predicted = self._sum(self.slope * du)
        surprise = dv - predicted
        silent = self.seen(predicted, values) & ~self.seen(dv, values)
        squares, slopes = self._sum(du * du), self._sum(self.slope**2)
        variance = self._variance(values)
        damping = np.divide(2 * variance, slopes, out=np.zeros_like(slopes), where=slopes > 0)
        gain = np.divide(
            surprise,
            squares + damping,
            out=np.zeros_like(surprise),
            where=(squares > 0) & ((slopes > 0) | (self.noise == 0)),
        )
        stage = tree.dest - tree.n_knobs
        halves = np.where(du != 0, self.slope / 2, self.slope)
        self._accept(np.where(silent[stage], halves, self.slope + gain[stage] * du))
        self._take_noise(np.where(silent, 0, np.abs(surprise)), where=~silent)

    def _accept(self, slope: Floats) -> None:
        self.slope = np.where(np.isfinite(slope), slope, self.slope)

    def _take_noise(self, differences: Floats, where: NDArray[np.bool_] | None = None) -> None:
        """Refine the noise by differences of two observations that nothing else accounts for.

        A stage that once gave exactly the same value twice is taken to be free of noise. Later
        differences may be curvature or outdated slopes as well: the noise is judged from above,
        and no single one counts more than three deviations.
        """
        refine = self._is_estimated & (np.isnan(self.noise) | (self.noise > 0))
        if where is not None:
            refine &= where
        self._n_looks += 1
        weight = max(0.1, 1 / self._n_looks)
        variance = np.where(np.isnan(self.noise), 0, self.noise) ** 2
        n_max = np.where(variance > 0, TIMES_THE_NOISE**2 * variance, np.inf)
        variance += weight * (np.minimum(differences**2 / 2, n_max) - variance)
        self.noise = np.where(refine, np.sqrt(variance), self.noise)

    def _variance(self, values: Floats) -> Floats:
        return self.noise**2 + (ROUNDING * values) ** 2

    def _sum(self, parts: Floats) -> Floats:
        """Return the sum over the inputs of every stage."""
        tree = self._tree
        sums: Floats = np.bincount(tree.dest - tree.n_knobs, parts, len(tree.stages))  # type: ignore[assignment]
        return sums
