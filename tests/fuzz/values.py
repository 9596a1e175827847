"""Random networks, rows, and ways to pass them: what several checks begin with."""

import contextlib
import dataclasses
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from cases import PAIRS, random_targets, rounded

import fastbp
from fastbp import DivergenceWarning, _core
from fastbp.network.catalogue import HIDDEN_ACTIVATIONS
from fastbp.network.solver import SOLVERS


@dataclasses.dataclass
class Case:
    """A network, and rows for it, all of them numbers that its dtype holds exactly."""

    network: fastbp.Network
    X: np.ndarray
    y: np.ndarray
    numbers: np.ndarray | None  # of classes, where y has indicators
    sample_weight: np.ndarray | None


def draw_sizes(random):
    """Mostly small networks; some wide enough for blocks of rows and for lists of active units."""
    widest = int(random.choice([3, 8, 20, 70, 150], p=[0.25, 0.3, 0.25, 0.15, 0.05]))
    n_hidden = int(random.choice([0, 1, 2, 3], p=[0.15, 0.5, 0.25, 0.1]))
    hidden = [int(n) for n in random.integers(1, widest + 1, n_hidden)]
    n_out = int(random.choice([1, 2, 3, 10, 40], p=[0.4, 0.2, 0.2, 0.15, 0.05]))
    return (int(random.integers(1, widest + 1)), *hidden, n_out)


def draw_network(random, sizes=None, dtype=None):
    """A network of any kind."""
    sizes = sizes or draw_sizes(random)
    pairs = [pair for pair in PAIRS if pair[1] != "softmax" or sizes[-1] > 1]
    loss, out_activation = pairs[random.integers(len(pairs))]
    return fastbp.Network(
        sizes,
        activation=[str(name) for name in random.choice(HIDDEN_ACTIVATIONS, len(sizes) - 2)],
        out_activation=out_activation,
        loss=loss,
        huber_delta=float(random.uniform(0.1, 3)),
        quantile=float(random.uniform(0.05, 0.95)),
        dtype=dtype or str(random.choice(["float64", "float32"])),
        random_state=int(random.integers(2**31)),
    )


def draw_case(random, max_rows=90, sizes=None):
    """A network with rows, targets and perhaps weights."""
    network = draw_network(random, sizes)
    n_rows = int(random.integers(1, max_rows + 1))
    X = random.normal(size=(n_rows, network.layer_sizes[0]))
    X[random.random(X.shape) < random.choice([0, 0, 0.5, 0.95])] = 0
    y = random_targets(
        random, network.loss_name, network.out_activation, (n_rows, network.layer_sizes[-1])
    )
    numbers = None
    if network.out_activation == "softmax" and random.random() < 0.5:
        numbers = random.integers(0, y.shape[1], n_rows)
        y = np.eye(y.shape[1])[numbers]
    weights = random.choice([0.0, 0.5, 1.0, 1.7], n_rows) if random.random() < 0.3 else None
    if weights is not None:
        weights[0] = 1  # not all may be 0
    return Case(network, rounded(X, network.dtype), rounded(y, network.dtype), numbers, weights)


def draw_order(random, n_rows):
    """None, or row numbers: all of them, some, or some of them again and again."""
    kind = random.integers(4)
    if kind == 0:
        return None
    if kind == 1:
        return random.permutation(n_rows)
    return random.integers(0, n_rows, int(random.integers(1, 2 * n_rows + 1)))


def draw_solver(random, n_rows, X):
    """Options of `Network.train_epoch` with steps so short that training is calm."""
    square = float((X**2).sum(axis=1).mean())
    rate = 0.5 / (1 + square) * 10 ** random.uniform(-2, 0)
    options: dict[str, Any] = {}
    kind = random.integers(4)
    if kind == 0:
        options = {
            "momentum": float(random.uniform(0.1, 0.95)),
            "nesterov": bool(random.integers(2)),
        }
        rate *= 1 - options["momentum"]
    elif kind == 1:
        options = {
            "solver": str(random.choice(SOLVERS[1:])),
            "beta_1": float(random.choice([0, 0.5, 0.9])),
            "beta_2": float(random.choice([0.5, 0.9, 0.999])),
            "epsilon": float(random.choice([1e-8, 1e-3])),
        }
        rate = 0.01 * 10 ** random.uniform(-2, 0)
        if options["solver"] == "rmsprop":  # whose first steps are 1 / sqrt(1 - beta_2) as long
            rate *= 0.1
    if random.random() < 0.4:
        options["alpha"] = float(10 ** random.uniform(-4, 0))
    if random.random() < 0.5:
        options["batch_size"] = int(random.choice([2, 3, 7, 16, 33, n_rows, 2 * n_rows, 10**9]))
    return {"learning_rate": rate, **options}


def dense_form(random, X, dtype):
    """The same numbers as an array of one of many kinds."""
    X = X.astype(dtype)
    forms = [
        lambda: X,
        lambda: np.asfortranarray(X),
        lambda: np.repeat(X, 2, axis=1)[:, ::2],
        lambda: np.repeat(X, 3, axis=0)[::3],
        lambda: X[::-1].copy()[::-1],
        lambda: X.astype(X.dtype.newbyteorder()),
        lambda: read_only(X),
        lambda: X.astype(np.float64),
        lambda: X.astype(np.longdouble),
        lambda: X.tolist(),
        lambda: misaligned(X),
        lambda: X.astype(object),
    ]
    return forms[random.integers(len(forms))]()


def sparse_form(random, X, dtype):
    """The same numbers as a sparse matrix of one of many kinds."""
    kind = (sp.csr_array, sp.csr_matrix)[random.integers(2)]
    csr = kind(X.astype(dtype))
    forms = [
        lambda: csr,
        lambda: shuffled_within_rows(random, csr),
        lambda: with_duplicates(csr),
        lambda: with_index_type(csr, np.int64),
        lambda: csr.tocsc(),
        lambda: csr.tocoo(),
        lambda: csr.tolil(),
        lambda: csr.tobsr(blocksize=(1, 1)),  # larger ones would list zeros
        lambda: csr.todok(),
    ]
    return forms[random.integers(len(forms))]()


def read_only(array):
    """A copy that cannot be written to."""
    array = array.copy()
    array.flags.writeable = False
    return array


def misaligned(array):
    """A copy that begins at an odd address."""
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:]
    copy = raw.view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def shuffled_within_rows(random, csr):
    """The same CSR matrix with the columns of each row in another order."""
    csr = csr.copy()
    for start, stop in zip(csr.indptr[:-1], csr.indptr[1:], strict=True):
        order = start + random.permutation(stop - start)
        csr.indices[start:stop], csr.data[start:stop] = csr.indices[order], csr.data[order]
    return type(csr)((csr.data, csr.indices, csr.indptr), shape=csr.shape)


def with_duplicates(csr):
    """The same CSR matrix with every value as the sum of two halves."""
    halves = np.repeat(csr.data / 2, 2)
    return type(csr)((halves, np.repeat(csr.indices, 2), 2 * csr.indptr), shape=csr.shape)


def with_index_type(csr, dtype):
    """The same CSR matrix with index arrays of this type."""
    csr = csr.copy()
    csr.indices, csr.indptr = csr.indices.astype(dtype), csr.indptr.astype(dtype)
    return csr


@contextlib.contextmanager
def only_warnings_of(*kinds):
    """Record warnings; raise an AssertionError for one that is not of these kinds."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught
    for one in caught:
        assert issubclass(one.category, kinds), f"unexpected {one.category.__name__}: {one.message}"


@contextlib.contextmanager
def running_on(isa):
    """Networks that are made meanwhile run on this instruction set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_core.isa, "ISA", isa)
        patch.setattr(_core.isa, "ISA_IS_FORCED", True)
        yield


def diverged(caught):
    """Whether a DivergenceWarning is among the warnings."""
    return any(issubclass(one.category, DivergenceWarning) for one in caught)


def state_of(network):
    """All that a call which fails, or only looks, must leave alone, to the bit."""
    state = network.__getstate__()
    moments = [
        (rule, n_steps, {name: [a.tobytes() for a in arena] for name, arena in kept.items()})
        for rule, (n_steps, kept) in state.pop("moments").items()
    ]
    parameters = [array.tobytes() for array in state.pop("parameters")]
    return state, parameters, moments
