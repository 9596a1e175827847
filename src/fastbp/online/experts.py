"""The networks of a model of a stream, whose inputs and outputs are added while they learn."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..network import Network, Solver
from ..network.rules import RULES
from .names import Key, hash_of

FIRST_COLUMNS = 16
NUMBERS_A_COLUMN = 10  # of struct Column in _core/columns.pxd; some of them:
CENTER, FACTOR, LAST_SEEN, IS_NUMBER = 3, 4, 5, 6
INPUT_BOUND = 0.3  # of initial weights, however many inputs there will be
UNUSED = -1e30  # bias of an output that has no class yet: softmax makes it 0
UNUSED_IN_COPIES = -30.0  # whose losses are drawn: a probability of 1e-13
MAX_LOSS = 1e12  # of a row that a step is taken along


@dataclasses.dataclass(frozen=True)
class Kind:
    """How an expert learns.

    Attributes
    ----------
    name : str
    solver : Solver
    has_hidden : bool, default=True
        False is a linear model.
    replay : int, default=0
        Rows of the past that are learned again after each row.
    margin : float, default=0.0
        Of these rows those with a smaller error are not learned: `_core.Expert`.
    share : float, default=1.0
        What the weights of now count in the mean of weights that predicts; 1 takes no mean.
    """

    name: str
    solver: Solver
    has_hidden: bool = True
    replay: int = 0
    margin: float = 0.0
    share: float = 1.0


# What `replay="auto"` mixes: chosen on streams that stand still and that drift, see
# docs/decisions. The fast one follows, the slow one learns by heart.
EXPERTS = (
    Kind("linear", Solver(0.1 * math.sqrt(1e-3), solver="rmsprop", beta_2=0.999), has_hidden=False),
    Kind("fast", Solver(0.05 * math.sqrt(1e-2), solver="rmsprop", beta_2=0.99)),
    Kind(
        "slow",
        Solver(0.15 * math.sqrt(3e-4), solver="rmsprop", beta_2=1 - 3e-4),
        replay=12,
        share=0.05,
    ),
)


class Zeros:
    """A generator of zeros, for weights that are drawn when their input or output is added."""

    def uniform(self, low: float, high: float, shape: tuple[int, ...]) -> float:
        """Return 0 for all."""
        return 0.0


class Expert:
    """A network with more inputs and outputs than are in use.

    Initial weights follow from the seed and the names of inputs alone, so that nothing depends on
    the order in which these appear.

    Parameters
    ----------
    kind : Kind
    layer_sizes : tuple of int
    seed : int
    **options
        Of `Network`.

    Attributes
    ----------
    network : Network
        Its numbers are those of now only while it is not attached.
    average : Network or None
        The same with a mean of its weights, which predicts.
    """

    def __init__(self, kind: Kind, layer_sizes: tuple[int, ...], seed: int, **options: Any) -> None:
        self.kind, self.seed, self.options = kind, seed, options
        self.network = Network(layer_sizes, random_state=Zeros(), **options)
        if self.network.out_activation == "softmax":
            self.network.biases[-1][:] = UNUSED
        for layer, W in enumerate(self.network.weights[1:-1], start=1):
            bound = math.sqrt(6 / sum(W.shape))  # Glorot and Bengio (2010)
            W[...] = self._draw(W.size, bound, layer).reshape(W.shape)
        self.average = None if kind.share == 1 else self.network.copy()
        self.make_compiled()

    def make_compiled(self) -> None:
        """Make what learns; it is not saved."""
        kind = self.kind
        self.compiled = _core.Expert(
            kind.solver.compiled(0),
            kind.solver.rule.name,
            kind.replay,
            kind.margin,
            kind.share,
            MAX_LOSS,
        )

    def change_rate(self, rate: float) -> None:
        """Take steps of this length from here on."""
        solver = dataclasses.replace(self.kind.solver, learning_rate=rate)
        self.kind = dataclasses.replace(self.kind, solver=solver)
        self.compiled.set_rate(rate)

    def _draw(self, n: int, bound: float, *name: Any) -> NDArray[np.float64]:
        seed = hash_of(self.seed, self.kind.name, *name)
        values: NDArray[np.float64] = _core.draw_uniform(seed, bound, n)
        return values

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name != "compiled"}
        one = self.compiled
        counters = one.n_steps, one.recent_loss, one.typical_error, one.watched
        return {**state, "counters": counters}

    def __setstate__(self, state: dict[str, Any]) -> None:
        counters = state["counters"]
        self.__dict__.update({key: state[key] for key in state if key != "counters"})
        self.make_compiled()
        one = self.compiled
        one.n_steps, one.recent_loss, one.typical_error, one.watched = counters

    def attach(self) -> None:
        """Let the compiled part have the network, until `detach`."""
        moments = self.network._state.moments_of(self.kind.solver.rule)
        self.compiled.attach(
            self.network._layers,
            None if moments is None else moments.values,
            None if self.average is None else self.average._layers,
        )

    def detach(self) -> None:
        """Have all numbers in the network."""
        self.compiled.detach()

    @property
    def _networks(self) -> list[Network]:
        return [self.network] if self.average is None else [self.network, self.average]

    def grow(self, n_inputs: int, n_outputs: int) -> None:
        """Have so many inputs and outputs."""
        inner = self.network.layer_sizes[1:-1]
        n_before = self.network.layer_sizes[-1]
        self.network = self.network._grown((n_inputs, *inner, n_outputs))
        if self.average is not None:
            self.average = self.average._grown((n_inputs, *inner, n_outputs))
        if self.network.out_activation == "softmax":
            for network in self._networks:
                network.biases[-1][n_before:] = UNUSED

    def begin_input(self, column: int, key: Key) -> None:
        """Draw the weights of an input that is added, and forget what there was before."""
        for network in self._networks:
            W = network.weights[0]
            has_hidden = len(network.weights) > 1
            W[column] = self._draw(W.shape[1], INPUT_BOUND, *key) if has_hidden else 0
            for moments in network._state.moments.values():
                for arena in moments.arenas.values():
                    arena.weights[0][column] = 0

    def begin_output(self, number: int) -> None:
        """Let an output that is added take part; its weights are 0."""
        for network in self._networks:
            network.biases[-1][number] = 0

    def in_use(self, n_inputs: int, n_outputs: int) -> Network:
        """Return a copy of the network that predicts, of the first inputs and outputs alone.

        Classes have two outputs at least, of which one may be that of no class, whose probability
        is 0.
        """
        network = self._networks[-1]
        if network.out_activation == "softmax":
            n_outputs = max(2, n_outputs)
        sizes = (max(1, n_inputs), *network.layer_sizes[1:-1], n_outputs)
        other = Network(sizes, random_state=Zeros(), **self.options)
        if network.out_activation == "softmax":
            other.biases[-1][:] = UNUSED
        network._arena.copy_into(other._arena)
        other.biases[-1][other.biases[-1] == UNUSED] = UNUSED_IN_COPIES
        for rule, moments in network._state.moments.items():
            kept = other._state.moments_of(RULES[rule])
            assert kept is not None
            kept.n_steps = self.compiled.n_steps
            for name, arena in moments.arenas.items():
                arena.copy_into(kept.arenas[name])
        return other


class Experts:
    """Networks that learn the same rows, and what is known of their inputs and targets.

    Parameters
    ----------
    kinds : sequence of Kind
    hidden : tuple of int
    n_outputs : int
    seed : int
    activation : tuple of str
        Of the hidden layers.
    **options
        Of `Network`.

    Attributes
    ----------
    inputs, outputs : ndarray of float64 of shape (n, NUMBERS_A_COLUMN)
        What is known of the values of each, for scaling.
    """

    def __init__(
        self,
        kinds: Iterable[Kind],
        hidden: tuple[int, ...],
        n_outputs: int,
        seed: int,
        activation: tuple[str, ...],
        **options: Any,
    ) -> None:
        self.seed = seed
        self.inputs = np.zeros((FIRST_COLUMNS, NUMBERS_A_COLUMN))
        self.outputs = np.zeros((n_outputs, NUMBERS_A_COLUMN))
        self.outputs[:, IS_NUMBER] = 1
        self.all = []
        for kind in kinds:
            own = hidden if kind.has_hidden else ()
            sizes = (FIRST_COLUMNS, *own, n_outputs)
            own_options = {"activation": activation if own else (), **options}
            self.all.append(Expert(kind, sizes, seed, **own_options))

    def check(self) -> None:
        """Refuse networks that do not have these inputs and outputs, as of a damaged state."""
        shapes = [(len(self.inputs), NUMBERS_A_COLUMN), (len(self.outputs), NUMBERS_A_COLUMN)]
        for array, shape in zip((self.inputs, self.outputs), shapes, strict=True):
            if array.shape != shape or array.dtype != np.float64 or not array.flags.carray:
                raise ValueError("what this state knows of its inputs is no array that can be used")
            if not np.isfinite(array).all():
                raise ValueError("what this state knows of its inputs is not finite")
        for expert in self.all:
            for network in expert._networks:
                ends = network.layer_sizes[0], network.layer_sizes[-1]
                if ends != (len(self.inputs), len(self.outputs)):
                    raise ValueError("the networks of this state do not have the same inputs")

    def attach(self, loop: _core.OnlineLoop) -> None:
        """Let a loop learn on the networks, until `detach`."""
        for expert in self.all:
            expert.attach()
        loop.attach(self.inputs, self.outputs)

    def detach(self, loop: _core.OnlineLoop) -> None:
        """Have all numbers in the networks, where they may be read and changed."""
        loop.detach()
        for expert in self.all:
            expert.detach()

    def grow(self, n_inputs: int, n_outputs: int) -> None:
        """Have at least so many inputs and outputs: twice as many as before, if more are needed."""
        n_inputs = _grown(len(self.inputs), n_inputs)
        n_outputs = _grown(len(self.outputs), n_outputs)
        for expert in self.all:
            expert.grow(n_inputs, n_outputs)
        self.inputs = _more_rows(self.inputs, n_inputs)
        self.outputs = _more_rows(self.outputs, n_outputs)

    def begin_input(self, column: int, key: Key) -> None:
        """Draw the weights of an input that is added, and forget what there was before."""
        for expert in self.all:
            expert.begin_input(column, key)
        self.inputs[column] = 0
        self.inputs[column, IS_NUMBER] = key[1] is None

    def begin_output(self, number: int) -> None:
        """Let an output that is added take part."""
        for expert in self.all:
            expert.begin_output(number)

    def longest_unseen(self, n: int, n_used: int, spared: Iterable[int]) -> list[int]:
        """Return the n inputs of the first n_used that occurred least recently, but for some."""
        last_seen = self.inputs[:n_used, LAST_SEEN].copy()
        last_seen[list(spared)] = math.inf
        oldest = np.argsort(last_seen, kind="stable")[:n]
        return [int(column) for column in oldest if last_seen[column] < math.inf]


def _grown(n: int, needed: int) -> int:
    return n if needed <= n else max(needed, 2 * n)


def _more_rows(array: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    larger = np.zeros((n, array.shape[1]))
    larger[: len(array)] = array
    return larger
