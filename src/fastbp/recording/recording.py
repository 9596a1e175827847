"""`record`: training as it went, to look at afterwards."""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._html import HtmlMixin
from .._messages import counted
from ..exceptions import DivergenceWarning
from ..network import Network, Solver
from ..network.arrays import read_once
from ..network.checks import check_whole
from ..network.divergence import warn_of_divergence
from ..network.exportable import Saveable
from ..sensitivity import LossSensitivity
from ..trace import StepTrace
from ..trace.inspected import (
    InspectedModel,
    Names,
    RowSubset,
    check_is_model,
    inspected_model,
    names_of,
    network_of,
    solver_state,
)
from ..trace.step import solver_of, trace_of
from ..trace.to_json import jsonable
from ..training.epochs import EPOCH_HOOK, EpochLoop
from ..training.run import History
from .recorder import Recorder, Runs, Snapshot


@dataclasses.dataclass(frozen=True, repr=False)
class Recording(HtmlMixin, Saveable):
    """Snapshots of a network while it was trained, the first before and the last after training.

    Attributes
    ----------
    layer_sizes : tuple of int
    activation : tuple of str
        Of each layer, the output layer's last.
    loss_name, dtype : str
    names : Names
        ``names.features`` and ``names.outputs``, numbers where there are no names.
    solver : Solver
        Its learning rate is that of the first step.
    every : int
        Steps between snapshots: as requested, or doubled until the limits were met.
    n_steps : int
        Steps that training took; a step is one row, or one batch.
    epoch_losses : list of float
        Loss of each epoch, as ``loss_curve_`` has it.
    steps : ndarray of int of shape (n_snapshots,)
        Steps taken before each snapshot.
    epochs : ndarray of float of shape (n_snapshots,)
        The same in epochs.
    running_losses : ndarray of shape (n_snapshots,)
        Mean loss of the rows since the previous snapshot, each just before its own step.
        NaN for the first.
    losses : ndarray of shape (n_snapshots,)
        Mean loss of the probe with the parameters of the snapshot.
    gradient_norms : ndarray of shape (n_snapshots, n_layers)
        Euclidean norm of the gradient of that loss, layer by layer, weights and biases together.
    probe_X, probe_y : ndarray of shape (n_probe, n_in) and (n_probe, n_out)
        Some of the rows, evenly spaced, as the network takes them.
    rows : list of ndarray of int
        Numbers of the rows of the step that follows each snapshot; none for the last.
    note : str
        What else a reader of the page should know.

    Notes
    -----
    Snapshots at the ends of epochs are, to the bit, where training was. Those within come from a
    copy that takes the same steps from the start of the epoch: the same to rounding. (Training
    holds back some updates and is not stopped for a snapshot, so there need not be such a place.)
    With ``early_stopping`` the last is where training ended, not the best, which the model keeps.
    """

    layer_sizes: tuple[int, ...]
    activation: tuple[str, ...]
    loss_name: str
    dtype: str
    names: Names
    solver: Solver
    every: int
    n_steps: int
    epoch_losses: list[float]
    steps: NDArray[np.int64]
    epochs: NDArray[np.float64]
    running_losses: NDArray[np.float64]
    losses: NDArray[np.float64]
    gradient_norms: NDArray[np.float64]
    probe_X: NDArray[Any]
    probe_y: NDArray[Any]
    rows: list[NDArray[np.int64]]
    _snapshots: list[Snapshot]
    _next: list[InspectedModel | None]
    note: str = ""

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.layer_sizes))
        end = ", then diverged" if self.diverged else ""
        return (
            f"Recording of {sizes}, {counted(len(self), 'snapshot')}, "
            f"loss {self.losses[0]:.3g} to {self.losses[-1]:.3g}{end}"
        )

    @property
    def diverged(self) -> bool:
        """Whether training ended because it diverged: the last snapshot is what was kept then."""
        return bool(self.epoch_losses) and not math.isfinite(self.epoch_losses[-1])

    def network(self, k: int) -> Network:
        """Return a new network with the parameters and the solver's state of snapshot k."""
        self._check_number(k)
        return self._snapshots[k].network()

    def weights(self, k: int) -> list[NDArray[Any]]:
        """Return copies of the weights of snapshot k, (n_in, n_out) for each layer."""
        return [np.array(W) for W in self.network(k).weights]

    def biases(self, k: int) -> list[NDArray[Any]]:
        """Return copies of the biases of snapshot k, (n_out,) for each layer."""
        return [np.array(b) for b in self.network(k).biases]

    def trace(self, k: int) -> StepTrace:
        """Return every number of the step that follows snapshot k.

        Of a batch, that of its first row alone; of training with dropout, that of the whole
        network, with no unit dropped.

        Raises
        ------
        IndexError
            If there is no such snapshot.
        ValueError
            After the last step.
        """
        self._check_number(k)
        inspected = self._next[k]
        if inspected is None:
            raise ValueError(f"snapshot {k} is the last: no step follows it")
        inspected = dataclasses.replace(inspected, network=self.network(k), names=self.names)
        return trace_of(inspected, self._solver_at(k))

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as dicts, lists and numbers, ready for `json.dumps`.

        Returns
        -------
        dict
            ``format`` is ``"fastbp.recording/1"``. The attributes by name, and ``diverged``;
            ``solver``, ``names`` and ``probe`` (``X``, ``y``) are dicts. ``snapshots`` is a list of
            dicts: ``step``, ``epoch``, ``loss``, ``running_loss``, ``gradient_norms``; ``layers``,
            a list of ``{"W": ..., "b": ...}``; ``state``, ``{name: layers}``; ``next``, the step
            that follows, ``{"rows": [...], "x": [...], "y": [...], "weight": 1.0, "learning_rate":
            0.01}``, of which x, y and weight are those of its first row, or None. Numbers that are
            not finite are None.
        """
        names = (
            "layer_sizes", "activation", "loss_name", "dtype", "every", "n_steps", "epoch_losses"
        )  # fmt: skip
        result: dict[str, Any] = jsonable(
            {
                "format": "fastbp.recording/1",
                **{name: getattr(self, name) for name in names},
                "diverged": self.diverged,
                "names": dataclasses.asdict(self.names),
                "solver": dataclasses.asdict(self.solver),
                "probe": {"X": self.probe_X, "y": self.probe_y},
                "snapshots": [self._snapshot_dict(k) for k in range(len(self))],
            }
        )
        return result

    def _page_data(self) -> dict[str, Any]:
        from ..page.data import recording_page_data

        with warnings.catch_warnings():  # of steps that diverge: the page says so
            warnings.simplefilter("ignore", DivergenceWarning)
            return recording_page_data(self, self._trace_or_one_more)

    def _page_title(self) -> str:
        return f"Training, step by step: {'-'.join(map(str, self.layer_sizes))}"

    def _page_text(self) -> str:
        return (
            f"Training of a network of {'-'.join(map(str, self.layer_sizes))} units: "
            f"{counted(self.n_steps, 'step')}, "
            f"loss {self.losses[0]:.5g} before and {self.losses[-1]:.5g} after"
            f"{', with the weights kept from before it diverged' if self.diverged else ''}."
        )

    def _check_number(self, k: int) -> None:
        if not -len(self) <= k < len(self):
            raise IndexError(f"snapshot must be 0 to {len(self) - 1}; got {k}")

    def _trace_or_one_more(self, k: int) -> StepTrace:
        """Return the step that follows snapshot k; of the last, one that training did not take."""
        if self._next[k] is not None:
            return self.trace(k)
        row = self.probe_X[:1], self.probe_y[:1]
        solver = self._solver_at(k)
        return trace_of(InspectedModel(self.network(k), *row, None, solver, self.names), solver)

    def _solver_at(self, k: int) -> Solver:
        """Return the solver with the learning rate at snapshot k, which a schedule may change."""
        rate = self._snapshots[k].learning_rate
        return dataclasses.replace(self.solver, learning_rate=rate)

    def _snapshot_dict(self, k: int) -> dict[str, Any]:
        network, inspected = self.network(k), self._next[k]
        following = None
        if inspected is not None:
            weight = 1.0 if inspected.sample_weight is None else inspected.sample_weight[0]
            following = {"x": inspected.X[0], "y": inspected.y[0], "weight": weight}
            following["rows"] = self.rows[k]
            following["learning_rate"] = self._snapshots[k].learning_rate
        return {
            "step": self.steps[k],
            "epoch": self.epochs[k],
            "loss": self.losses[k],
            "running_loss": self.running_losses[k],
            "gradient_norms": self.gradient_norms[k],
            "layers": _layers(network.weights, network.biases),
            "state": {
                name: _layers(arena.weights, arena.biases)
                for name, arena in solver_state(network, self.solver).items()
            },
            "next": following,
        }


def record(
    model: Any,
    X: Any,
    y: Any,
    *,
    sample_weight: ArrayLike | None = None,
    every: int | None = None,
    max_snapshots: int = 200,
    max_bytes: int = 2**26,
    n_probe: int = 256,
    epochs: int | None = None,
    **solver: Any,
) -> Recording:
    """Train a model, and keep snapshots of it on the way.

    An estimator is trained by ``model.fit(X, y, sample_weight)``, a network by ``epochs`` calls of
    `Network.train_epoch`. The outcome is the same to the bit as without recording; it takes about
    twice as long, or more where there is a snapshot every few steps.

    Parameters
    ----------
    model : Network, BackpropClassifier or BackpropRegressor
        Is trained.
    X : array-like or sparse matrix of shape (n, n_in)
    y : array-like
        As the model takes it.
    sample_weight : array-like of shape (n,), default=None
        For an estimator.
    every : int, default=None
        Steps between snapshots, a step being a row or a batch. None is 1 to begin with.
    max_snapshots : int, default=200
        If there would be as many, every second one is dropped and ``every`` doubles. Thus a
        recording of any length ends with between half as many and as many, evenly spaced.
    max_bytes : int, default=2**26
        Limit for the memory of the parameters and the solver's state in all snapshots.
    n_probe : int, default=256
        Rows on which the losses and gradients of snapshots are computed.
    epochs : int, default=None
        For a network: how many, 10 by default.
    **solver
        For a network: ``learning_rate``, which it needs, ``momentum``, ``nesterov``, ``alpha``,
        ``batch_size``, ``dropout`` and so on, as of `Network.train_epoch`.

    Returns
    -------
    Recording

    Raises
    ------
    ValueError, TypeError
        For arguments that cannot be used; besides those of `fit` or `Network.train_epoch`.
    RuntimeError
        For an estimator that trains several small networks side by side (``n_init``), which is
        fitted nevertheless. Otherwise what is recorded is the network that was kept.

    Examples
    --------
    >>> import numpy as np, fastbp
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> network = fastbp.Network((2, 4, 1), activation="tanh", random_state=0)
    >>> recording = fastbp.record(network, X, X[:, 0] * X[:, 1], epochs=100, learning_rate=0.1)
    >>> len(recording), recording.n_steps, recording.every
    (101, 400, 4)
    >>> bool(recording.losses[-1] < 0.1 * recording.losses[0])
    True
    """
    check_whole("every", 1 if every is None else every)
    check_whole("max_snapshots", max_snapshots, at_least=4)
    check_whole("max_bytes", max_bytes)
    check_whole("n_probe", n_probe)
    X, y, sample_weight = read_once(X), read_once(y), read_once(sample_weight)
    of_network = isinstance(model, Network)
    if of_network:
        own = solver_of(InspectedModel(model, X, y, None, None, names_of(model)), None, solver)
    runs = Runs(every, max_snapshots, max_bytes)
    token = EPOCH_HOOK.set(runs)
    try:
        if of_network:
            _train_network(model, X, y, sample_weight, epochs, own)
        else:
            _fit(model, X, y, sample_weight, {"epochs": epochs, **solver})
    finally:
        EPOCH_HOOK.reset(token)
    recorder = runs.of(network_of(model))
    inspected = inspected_model(model, X, y, sample_weight)
    return recording_of(recorder, inspected, inspected.solver or own, n_probe)


def _fit(model: Any, X: Any, y: Any, sample_weight: Any, options: dict[str, Any]) -> None:
    check_is_model(model)
    for name, value in options.items():
        if value is not None:
            raise TypeError(
                f"{name} is an option for networks; an estimator is trained as it was made: see "
                "its parameters, and set_params"
            )
    if model._joins_networks():
        raise ValueError(
            "A recording follows one network, but this estimator trains several and joins them. "
            "For one of them: model.set_params(ensemble=1, hidden_layer_sizes=(64, 64))"
        )
    model.fit(X, y, sample_weight)


def _train_network(
    network: Network, X: Any, y: Any, sample_weight: Any, epochs: int | None, solver: Solver
) -> None:
    if sample_weight is not None:
        raise TypeError("sample_weight is an option for estimators")
    n_epochs = check_whole("epochs", 10 if epochs is None else epochs)
    solver.check_dtype(network.dtype)
    rows = network._rows(X, y, needs_y=True)
    order = np.arange(rows.n, dtype=np.int64)
    ending = EpochLoop(network, rows, order, solver, History(), max_iter=n_epochs).run()
    if ending == "diverged":
        kept = "of the best epoch (or, if they are better, the initial ones)"
        warn_of_divergence("learning_rate", solver.learning_rate, kept)


def recording_of(
    recorder: Recorder, inspected: InspectedModel, solver: Solver, n_probe: int
) -> Recording:
    """Put together what was recorded, with the losses and gradients of the snapshots."""
    network, snapshots = inspected.network, recorder.snapshots
    table = RowSubset(inspected)
    probe = table.some(n_probe)
    measured = []
    for snapshot in snapshots:
        gradients = snapshot.network().gradients(probe.X, probe.y, probe.sample_weight)
        measured.append(LossSensitivity(*gradients))
    steps = np.array([snapshot.step for snapshot in snapshots])
    running = [s.loss_sum / s.weight if s.weight else np.nan for s in snapshots]
    return Recording(
        layer_sizes=network.layer_sizes,
        activation=(*network.activation, network.out_activation),
        loss_name=network.loss_name,
        dtype=network.dtype.name,
        names=inspected.names,
        solver=dataclasses.replace(solver, learning_rate=snapshots[0].learning_rate),
        every=recorder.every,
        n_steps=recorder.n_steps,
        epoch_losses=recorder.epoch_losses,
        steps=steps,
        epochs=steps / recorder.steps_an_epoch,
        running_losses=np.array(running),
        losses=np.array([one.loss for one in measured]),
        gradient_norms=np.array([one.norms() for one in measured]),
        probe_X=probe.X,
        probe_y=probe.y,
        note=inspected.note,
        rows=[snapshot.rows for snapshot in snapshots],
        _snapshots=snapshots,
        _next=[table.rows(s.rows[:1].tolist()) if len(s.rows) else None for s in snapshots],
    )


def _layers(weights: list[NDArray[Any]], biases: list[NDArray[Any]]) -> list[dict[str, Any]]:
    return [{"W": W, "b": b} for W, b in zip(weights, biases, strict=True)]
