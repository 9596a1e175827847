"""`OnlineState`: the networks, names and rows of a model of a stream, and how they are saved."""

from __future__ import annotations

import copy
import dataclasses
import secrets
import threading
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from .. import _core
from ..network import Solver
from ..network.catalogue import hidden_activations
from ..network.checks import check_choice, check_number, check_whole
from ..network.rules import SOLVERS
from ..network.tables import LOSSES, Loss
from .experts import EXPERTS, Experts, Kind
from .labels import Labels
from .names import Names, text_of_column, warn_of_numbers
from .rows import PlainRow, plain_row
from .uninterrupted import uninterrupted

AUTO = "auto"
MOST_EXPERTS = 4
BUFFERS = ("last", "sample", "both")
MEMORY = 1000.0  # rows that means and variances are of
LIMIT = 4.0  # standard deviations from the mean: no scaled input is further


class OnlineState:
    """Parameters, and what a model has come to."""

    hidden_layer_sizes: Any
    activation: Any
    solver: str
    learning_rate_init: float | str
    alpha: float
    replay: int | str
    buffer: str
    buffer_size: int
    max_features: int | None
    hashed_features: int | None
    missing: str
    drift_detector: Any
    random_state: Any

    _names: Names
    _experts: Experts
    _labels: Labels | None
    _n_targets: int = 1
    _loop: Any  # _core.OnlineLoop, or None before the first row
    _past: _core.KeptRows
    _reader: _core.RowReader

    # -- parameters and state ----------------------------------------------------------------

    def _set_parameters(self, parameters: dict[str, Any]) -> None:
        self._lock = threading.RLock()
        self._loop = None
        self._labels = self._no_labels()
        self._parameters = [name for name in parameters if name not in ("self", "__class__")]
        for name in self._parameters:
            setattr(self, name, parameters[name])

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; once a model has learned, the learning rate alone may change."""
        if self.__dict__.get("_loop") is not None and name in self._parameters:
            if value is getattr(self, name) or value == getattr(self, name):
                return
            if name == "learning_rate_init":
                self._change_rate(value)
            else:
                raise ValueError(
                    f"{name} is chosen when a model is made, and this one has learned: make a new "
                    f"one with {name}={value!r}"
                )
        super().__setattr__(name, value)

    def _change_rate(self, rate: Any) -> None:
        if len(self._experts.all) > 1:
            raise ValueError(
                "This model mixes networks with rates of their own: choose a solver, a "
                "learning_rate_init or a replay for one network when it is made"
            )
        with self._lock:
            self._experts.all[0].change_rate(check_number("learning_rate_init", rate, above=0))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name, as scikit-learn's estimators do."""
        return {name: getattr(self, name) for name in self._parameters}

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters by name, before anything is learned."""
        for name in parameters:
            if name not in self._parameters:
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}; it has "
                    f"{', '.join(self._parameters)}"
                )
        for name, value in parameters.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({given})"

    def __getstate__(self) -> dict[str, Any]:
        def saved() -> dict[str, Any]:
            state = {key: value for key, value in self.__dict__.items() if key not in NOT_SAVED}
            if self._loop is not None:
                past = self._past.to_dict()
                state["_state_of_loop"] = self._loop.n_rows, self._loop.random, past
                state["_names"] = self._names.without_cache()
            return copy.deepcopy(state)  # other threads may go on meanwhile

        return dict(self._change(saved))

    def __setstate__(self, state: dict[str, Any]) -> None:
        state_of_loop = state.get("_state_of_loop")
        other = {key: state[key] for key in state if key != "_state_of_loop"}
        self.__dict__.update(other, _lock=threading.RLock(), _loop=None)
        if state_of_loop is None:
            return
        n_rows, random, past = state_of_loop
        self._experts.check()
        n_inputs, n_outputs = len(self._experts.inputs), len(self._experts.outputs)
        self._names.check(n_inputs)
        check_past(past, n_inputs, n_outputs if self._labels is not None else None)
        if len(self._experts.all) > MOST_EXPERTS:
            raise ValueError(f"the state has {len(self._experts.all)} networks")
        if self._labels is None:
            if self._n_targets != n_outputs:
                raise ValueError(f"the state has {n_outputs} outputs for {self._n_targets} targets")
        else:
            if self._n_targets != 1:
                raise ValueError("a state with labels has one target")
            self._labels.check(n_outputs)
        self._make_loop()
        self._loop.n_rows, self._loop.random = n_rows, random
        self._past.load(past)

    def __copy__(self) -> Self:
        """Return a copy that learns on its own: a shallow one would share the networks."""
        return copy.deepcopy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        other = type(self).__new__(type(self))
        memo[id(self)] = other
        other.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return other

    def _change(self, change: Callable[[], Any]) -> Any:
        """Return what a function returns that reads or changes the networks' arrays.

        They have the numbers of now meanwhile, and nothing is learned or predicted.
        """

        def detached() -> Any:
            if self._loop is None:
                return change()
            self._experts.detach(self._loop)
            try:
                return change()
            finally:
                self._experts.attach(self._loop)

        with self._lock:
            return uninterrupted(detached)

    def _start(self, n_outputs: int, **options: Any) -> None:
        """Make the networks, at the first row."""
        hidden = self.hidden_layer_sizes
        hidden = tuple(hidden) if np.iterable(hidden) else (hidden,)
        hidden = tuple(check_whole("hidden_layer_sizes", size) for size in hidden)
        for name in ("max_features", "hashed_features"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name))
        if self.hashed_features == 1:
            raise ValueError("hashed_features must be at least 2: numbers and texts have half each")
        if self.max_features is not None and self.hashed_features is not None:
            raise ValueError("hashed_features has no names to forget: max_features must be None")
        check_choice("missing", self.missing, ("error", "mean"))
        check_choice("buffer", self.buffer, BUFFERS)
        if self.drift_detector is not None and not hasattr(self.drift_detector, "update"):
            raise TypeError(
                "drift_detector must have update(error) and drift_detected, such as "
                f"river.drift.ADWIN(); got {self.drift_detector!r}"
            )
        check_whole("buffer_size", self.buffer_size, at_least=0)
        experts = Experts(
            self._kinds(),
            hidden,
            n_outputs,
            _seed_of(self.random_state),
            hidden_activations(self.activation, len(hidden)),
            **options,
        )
        self._names, self._experts = Names(self.hashed_features), experts
        if self.hashed_features is not None:
            experts.grow(self.hashed_features, n_outputs)
            for column in range(self.hashed_features):
                experts.begin_input(column, (column, text_of_column(column, self.hashed_features)))
        self._make_loop()

    def _kinds(self) -> tuple[Kind, ...]:
        """Return how the networks learn: one as the parameters say, or those that are mixed."""
        given = self.solver, self.learning_rate_init, self.replay
        replay = 0 if given[2] == AUTO else check_whole("replay", self.replay, at_least=0)
        margin = self._replay_margin()
        if given[:2] == (AUTO, AUTO) and given[2] != 0:
            return tuple(
                dataclasses.replace(
                    kind,
                    solver=dataclasses.replace(kind.solver, alpha=self.alpha),
                    replay=replay or kind.replay if kind.replay else 0,
                    margin=margin,
                )
                for kind in EXPERTS
            )
        name = "adagrad" if self.solver == AUTO else check_choice("solver", self.solver, SOLVERS)
        given_rate: Any = RATES[name] if given[1] == AUTO else given[1]
        rate = check_number("learning_rate_init", given_rate, above=0)
        solver = Solver(rate, solver=name, alpha=self.alpha)
        return (Kind("one", solver, replay=replay, margin=margin),)

    def _make_loop(self) -> None:
        names, labels, size = self._names, self._labels, self.buffer_size
        n_sampled = {"last": 0, "sample": size, "both": size // 2}[self.buffer]
        self._reader = _core.RowReader(names.numbers, names.texts, self.missing == "mean")
        self._reader.set_numbered(names.numbered())
        self._past = _core.KeptRows(size - n_sampled, n_sampled, self._n_targets)
        options = {
            "memory": MEMORY,
            "limit": LIMIT,
            "is_hashed": names.n_hashed is not None,
            "min_target": self._known_loss().targets[0],
            "scales_by_mean": self._known_loss().by_mean,
            "quantile": self._quantile(),
            "kind": self._kind_of_targets(),
        }
        self._loop = _core.OnlineLoop(
            tuple(expert.compiled for expert in self._experts.all),
            self._reader,
            self._past,
            None if labels is None else labels.numbers,
            self._n_targets,
            options,
            self._experts.seed,
        )
        self._experts.attach(self._loop)

    # -- what a row needs --------------------------------------------------------------------

    def _plain_row(self, x: Any) -> PlainRow:
        return plain_row(x, skips_gaps=self.missing == "mean")

    def _prepare(self, row: PlainRow, target: Any) -> None:
        """Have an input for all that a row has, and an output for its target."""
        self._check_width(len(row))
        warn_of_numbers(row, None if self._loop is None else self._names)
        if self._loop is None:
            uninterrupted(lambda: self._start_with(target))
        self._add_names(row)
        self._add_target(target)

    def _check_width(self, n: int) -> None:
        if self.max_features is not None and n > self.max_features:
            raise ValueError(f"x has {n} features, and max_features is {self.max_features}")

    def _add_names(self, row: PlainRow) -> None:
        """Have an input for all that a row has."""
        names, experts = self._names, self._experts
        names.forget_hashed()
        new = names.unlisted(row)
        if not new:
            return
        if names.n_hashed is not None:
            for key in new:
                names.add_hashed(key)
        else:
            self._make_way(len(new), row)
            n_inputs = len(names.keys) + max(0, len(new) - len(names.free))
            if n_inputs > len(experts.inputs):
                self._change(lambda: experts.grow(n_inputs, len(experts.outputs)))
            for key in new:
                column = names.next_column()
                experts.begin_input(column, key)
                names.add(key, column)
        self._reader.set_numbered(names.numbered())

    def _make_way(self, n_new: int, row: PlainRow) -> None:
        """Forget the names that occurred least recently, some at a time, if there are too many."""
        names, most = self._names, self.max_features
        if most is None or len(names) + n_new <= most:
            return
        keys = [(name, value if isinstance(value, str) else None) for name, value in row.items()]
        needed = {column for column in map(names.column, keys) if column is not None}
        n = max(len(names) + n_new - most, most // 16)
        forgotten = self._experts.longest_unseen(n, len(names.keys), needed | set(names.free))
        names.remove(forgotten)
        is_forgotten = np.zeros(len(self._experts.inputs), np.uint8)
        is_forgotten[forgotten] = 1
        self._past.forget_columns(is_forgotten)

    def _list_hashed(self, row: PlainRow) -> None:
        """List the hashed names of a row, which the loop finds in dicts."""
        names = self._names
        if names.n_hashed is not None:
            names.forget_hashed()
            for key in names.unlisted(row):
                names.add_hashed(key)

    @property
    def is_started(self) -> bool:
        """Whether a row was learned."""
        return self._loop is not None

    # -- for subclasses ----------------------------------------------------------------------

    def _start_with(self, target: Any) -> None:
        """Make the network for a first target."""
        raise NotImplementedError

    def _plain_target(self, y: Any) -> Any:
        """Return the target of one row, checked."""
        raise NotImplementedError

    def _add_target(self, target: Any) -> None:
        """Have an output for a target."""

    def _no_labels(self) -> Labels | None:
        """Return where labels are listed, or None of a regression."""
        return None

    def _scaled_target(self, y: Any) -> Any:
        """Return a target as the networks see it."""
        raise NotImplementedError

    def _output_names(self, n: int) -> tuple[str, ...]:
        """Return what the first n outputs are called."""
        raise NotImplementedError

    def _replay_margin(self) -> float:
        """Return how small the error of a row of the past is that is not learned again."""
        return 0.7  # of the typical error of new rows

    def _kind_of_targets(self) -> type:
        """Return float for one target, or the type that the loop is given several in."""
        return float

    def _known_loss(self) -> Loss:
        """Return what is known of the loss."""
        return LOSSES["log_loss"]

    def _quantile(self) -> float:
        """Return the quantile that is predicted."""
        return 0.5

    def _n_outputs(self) -> int:
        """Return how many outputs have a target."""
        return self._n_targets


NOT_SAVED = ("_lock", "_loop", "_reader", "_past")
RATES = {  # of one network
    name: {"sgd": 0.01, "adagrad": 0.1, "rmsprop": 0.005}.get(name, 0.001) for name in SOLVERS
}


def check_past(past: Any, n_inputs: int, n_classes: int | None) -> None:
    """Refuse rows of the past that the networks cannot learn."""
    columns, starts = np.asarray(past["columns"]), np.asarray(past["starts"])
    targets = np.asarray(past["targets"], np.float64)
    fits = (
        columns.dtype == np.int32
        and columns.shape == np.shape(past["values"])
        and not (columns < 0).any()
        and not (columns >= n_inputs).any()
        and starts.ndim == 1
        and not (np.diff([0, *starts, len(columns)]) < 0).any()
        and np.shape(past["weights"]) == (len(starts) - 1,)
        and np.isfinite(np.asarray(past["values"], np.float64)).all()
        and np.isfinite(np.asarray(past["weights"], np.float64)).all()
        and np.isfinite(targets).all()
    )
    if fits and n_classes is not None:
        fits = not ((targets < 0) | (targets >= n_classes) | (targets % 1 != 0)).any()
    if not fits:
        raise ValueError("the rows of the past in this state do not fit its networks")


def _seed_of(random_state: Any) -> int:
    """Return 64 random bits, or those that follow from a number or generator."""
    if random_state is None:
        return secrets.randbits(63)
    if hasattr(random_state, "integers"):
        return int(random_state.integers(2**63))
    if hasattr(random_state, "randint"):
        return int(random_state.randint(2**31))
    return check_whole("random_state", random_state, at_least=0) % 2**64
