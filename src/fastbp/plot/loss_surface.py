"""`LossSurfaceDisplay`: the loss as a function of one or two parameters or directions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..network import Network
from ..network.checks import check_number, check_whole
from ..recording import Recording
from ..trace.inspected import InspectedModel, RowSubset, as_layer, as_unit, inspected_model
from ._axes import GREY, NEGATIVE, POSITIVE, Display, tidy


@dataclasses.dataclass(frozen=True)
class Axis:
    """One way through the space of parameters.

    Attributes
    ----------
    direction : ndarray of shape (n_parameters,)
        Of length 1.
    origin : float
        Coordinate of the network itself: the parameter's value, or 0.
    label : str
    is_parameter : bool
    """

    direction: NDArray[np.float64]
    origin: float
    label: str
    is_parameter: bool = False


class LossSurfaceDisplay(Display):
    """The loss against one or two parameters or directions, and the way that training took.

    All other parameters stay as the model has them. The way is that of the recorded snapshots,
    seen along the axes: its other parameters moved as well, so it need not lie on the surface.

    Parameters
    ----------
    coordinates : list of ndarray, one or two
        Where the loss was computed, axis by axis.
    losses : ndarray of shape (n,) or (n_second, n_first)
    labels : list of str
        Of the axes.
    here : tuple of float
        Coordinates of the model.
    loss : float
        Its loss.
    slope : float, default=0.0
        Derivative of the loss there, along a single axis.
    path : ndarray of shape (n_snapshots, n_axes), default=None
        The way that training took.
    path_losses : ndarray of shape (n_snapshots,), default=None
        The loss on the way.

    Attributes
    ----------
    ax_, figure_
        What was drawn on last.
    """

    def __init__(
        self,
        *,
        coordinates: list[NDArray[np.float64]],
        losses: NDArray[np.float64],
        labels: list[str],
        here: tuple[float, ...],
        loss: float,
        slope: float = 0.0,
        path: NDArray[np.float64] | None = None,
        path_losses: NDArray[np.float64] | None = None,
    ) -> None:
        self.coordinates, self.losses, self.labels = coordinates, losses, labels
        self.here, self.loss, self.slope = here, loss, slope
        self.path, self.path_losses = path, path_losses

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        parameters: Sequence[tuple[int, int | None, int]] | None = None,
        directions: Sequence[ArrayLike] | None = None,
        recording: Recording | None = None,
        span: float | None = None,
        n_points: int = 41,
        max_rows: int = 500,
        ax: Any = None,
    ) -> Self:
        """Compute the loss around a model, and draw it.

        Parameters
        ----------
        estimator : Network, or fitted BackpropClassifier or BackpropRegressor
            Is not changed.
        X, y : array-like
            Rows whose mean loss it is.
        parameters : one or two tuples (layer, i, j), default=None
            As for `StepTrace.factors`: layer 1 is the first; i is None for a bias.
        directions : one or two arrays of shape (n_parameters,), default=None
            Instead of parameters: directions in the order W, b of layer 1, W, b of layer 2, ...
            With neither, a recording gives the two directions in which it varies most, which
            are the principal components of its snapshots.
        recording : Recording, default=None
            Of the training of this model: draws the way it took.
        span : float, default=None
            How far to look on either side. None is far enough to show the recorded way, or else as
            far as the parameter is from 0, at least 1.
        n_points : int, default=41
            Along each axis.
        max_rows : int, default=500
            Of more rows, this many are used, evenly spaced.
        ax : matplotlib axes, default=None
            None makes a new figure.

        Returns
        -------
        LossSurfaceDisplay
        """
        check_whole("n_points", n_points, at_least=3)
        inspected = RowSubset(inspected_model(estimator, X, y)).some(
            check_whole("max_rows", max_rows)
        )
        network = inspected.network.copy()
        centre = _flat(network)
        snapshots = _snapshots(recording, network)
        axes = _axes(network, centre, parameters, directions, snapshots)
        paths: list[NDArray[np.float64]] = []
        path_losses = None
        if recording is not None and snapshots is not None:
            paths = [axis.origin + (snapshots - centre) @ axis.direction for axis in axes]
            networks = map(recording.network, range(len(recording)))
            path_losses = np.array([_loss(network_k, inspected) for network_k in networks])
        loss, gradient = _loss(network, inspected), _flat_gradient(network, inspected)
        coordinates = [
            _grid(axis, paths[k] if paths else None, span, n_points) for k, axis in enumerate(axes)
        ]
        display = cls(
            coordinates=coordinates,
            losses=_losses(network, inspected, centre, axes, coordinates),
            labels=[axis.label for axis in axes],
            here=tuple(axis.origin for axis in axes),
            loss=loss,
            slope=float(gradient @ axes[0].direction),
            path=np.column_stack(paths) if paths else None,
            path_losses=path_losses,
        )
        return display.plot(ax)

    def _draw(self, ax: Any) -> None:
        ax = self._on(ax)
        ax.set_xlabel(self.labels[0])
        (self._curve if len(self.coordinates) == 1 else self._contours)(ax)
        ax.legend(frameon=len(self.coordinates) == 2, framealpha=0.8)

    def _curve(self, ax: Any) -> None:
        x = self.coordinates[0]
        ax.plot(x, self.losses, color=POSITIVE, label="loss, other parameters fixed")
        if self.path is not None:
            ax.plot(self.path[:, 0], self.path_losses, ".-", color=GREY, linewidth=0.8,
                    markersize=4, label="path of training, all parameters moving")  # fmt: skip
        reach = 0.2 * (x[-1] - x[0])
        ends = np.array([-reach, reach])
        ax.plot(self.here[0] + ends, self.loss + self.slope * ends, "--", color=NEGATIVE,
                label=f"slope {self.slope:.3g}")  # fmt: skip
        ax.plot(*self.here, self.loss, "o", color=NEGATIVE, label="the model")
        ax.set_ylabel("mean loss of a row")
        tidy(ax)

    def _contours(self, ax: Any) -> None:
        levels = _levels(self.losses)
        shading = ax.contourf(*self.coordinates, self.losses, levels, cmap="Blues")
        ax.contour(*self.coordinates, self.losses, levels, colors=GREY, linewidths=0.3)
        self.figure_.colorbar(shading, ax=ax, label="mean loss of a row", format="%.3g")
        if self.path is not None:
            ax.plot(
                *self.path.T,
                ".-",
                color="black",
                linewidth=1,
                markersize=4,
                label="path of training",
            )
            ax.plot(*self.path[0], "s", color="white", markeredgecolor="black", label="the start")
        ax.plot(*self.here, "o", color=NEGATIVE, markeredgecolor="white", label="the model")
        ax.set_ylabel(self.labels[1])


def _flat(network: Network) -> NDArray[np.float64]:
    """Return all parameters, W and b layer by layer."""
    return np.concatenate([a.ravel() for a in network._arena.arrays()]).astype(np.float64)


def _flat_gradient(network: Network, inspected: InspectedModel) -> NDArray[np.float64]:
    _, weights, biases = network.gradients(inspected.X, inspected.y, inspected.sample_weight)
    pairs = zip(weights, biases, strict=True)
    return np.concatenate([a.ravel() for pair in pairs for a in pair]).astype(np.float64)


def _set(network: Network, flat: NDArray[np.float64]) -> None:
    start = 0
    for pair in zip(network.weights, network.biases, strict=True):
        for array in pair:
            array[...] = flat[start : start + array.size].reshape(array.shape)
            start += array.size


def _loss(network: Network, inspected: InspectedModel) -> float:
    return network.loss(inspected.X, inspected.y, inspected.sample_weight)


def _losses(
    network: Network,
    inspected: InspectedModel,
    centre: NDArray[np.float64],
    axes: list[Axis],
    coordinates: list[NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Return the loss at every point of the grid, the last axis first."""
    losses = np.empty([len(values) for values in reversed(coordinates)])
    for index in np.ndindex(losses.shape):
        moved = centre.copy()
        for axis, values, k in zip(axes, coordinates, reversed(index), strict=True):
            moved += (values[k] - axis.origin) * axis.direction
        _set(network, moved)
        losses[index] = _loss(network, inspected)
    return losses


def _snapshots(recording: Recording | None, network: Network) -> NDArray[np.float64] | None:
    if recording is None:
        return None
    if recording.layer_sizes != network.layer_sizes:
        raise ValueError(
            f"recording is of a network of layers {recording.layer_sizes}, but the model has "
            f"{network.layer_sizes}"
        )
    return np.array([_flat(recording.network(k)) for k in range(len(recording))])


def _axes(
    network: Network,
    centre: NDArray[np.float64],
    parameters: Any,
    directions: Any,
    snapshots: NDArray[np.float64] | None,
) -> list[Axis]:
    """Return one or two axes, as requested."""
    if parameters is not None and directions is not None:
        raise ValueError("Choose parameters or directions, not both")
    if parameters is None and directions is None:
        if snapshots is None:
            raise ValueError(
                "Choose parameters, such as [(1, 0, 0), (2, 0, 0)], or directions, or give a "
                "recording"
            )
        return _principal(snapshots)
    chosen = list(parameters if directions is None else directions)
    if len(chosen) not in (1, 2):
        raise ValueError(f"One or two parameters or directions can be drawn; got {len(chosen)}")
    if directions is None:
        return [_parameter(network, centre, *one) for one in chosen]
    return [_direction(one, len(centre), k) for k, one in enumerate(chosen)]


def _parameter(
    network: Network, centre: NDArray[np.float64], layer: int, i: int | None, j: int
) -> Axis:
    l = as_layer(layer, len(network.weights))
    W = network.weights[l - 1]
    before = sum((n_in + 1) * n_out for n_in, n_out in (W.shape for W in network.weights[: l - 1]))
    unit = as_unit("j", j, W.shape[1])
    if i is None:
        at, label = before + W.size + unit, f"b[{l}][{unit}]"
    else:
        at = before + as_unit("i", i, W.shape[0]) * W.shape[1] + unit
        label = f"W[{l}][{i}, {unit}]"
    direction = np.zeros(len(centre))
    direction[at] = 1
    return Axis(direction, float(centre[at]), label, is_parameter=True)


def _direction(values: ArrayLike, n_parameters: int, k: int) -> Axis:
    direction = np.array(values, dtype=np.float64)
    if direction.shape != (n_parameters,) or not np.isfinite(direction).all():
        raise ValueError(
            f"directions[{k}] must have {n_parameters} finite values, one a parameter; it has "
            f"shape {direction.shape}"
        )
    length = float(np.linalg.norm(direction))
    if length == 0:
        raise ValueError(f"directions[{k}] is zero")
    return Axis(direction / length, 0.0, f"direction {k + 1}")


def _principal(snapshots: NDArray[np.float64]) -> list[Axis]:
    """Return the two directions in which the snapshots vary most."""
    moved = snapshots - snapshots.mean(axis=0)
    _, sizes, directions = np.linalg.svd(moved, full_matrices=False)
    shares = sizes**2 / max(float(np.sum(sizes**2)), 1e-300)
    return [
        Axis(directions[k], 0.0, f"principal direction {k + 1} ({shares[k]:.0%} of the variance)")
        for k in range(min(2, len(directions)))
    ]


def _grid(
    axis: Axis, path: NDArray[np.float64] | None, span: float | None, n_points: int
) -> NDArray[np.float64]:
    """Return where the loss is computed along an axis."""
    least = n_max = axis.origin
    if span is not None:
        check_number("span", span, above=0)
        return np.linspace(least - span, n_max + span, n_points)
    margin = max(1.0, abs(axis.origin))
    if path is not None:
        least, n_max = min(least, path.min()), max(n_max, path.max())
        if axis.is_parameter:  # a single one may have hardly moved
            margin = max(margin / 2, 0.3 * (n_max - least))
        else:
            margin = 0.3 * (n_max - least) or margin
    return np.linspace(least - margin, n_max + margin, n_points)


def _levels(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return levels for contours, closer together where the loss is small."""
    least, n_max = float(losses.min()), float(losses.max())
    if n_max <= least:
        return np.array([least, least + 1.0])
    return least + (n_max - least) * np.linspace(0, 1, 16) ** 2
