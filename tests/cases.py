"""Networks and data that several tests share."""

import gc
import itertools
import sys

import numpy as np
import pytest

import fastbp
from fastbp import _core
from fastbp.network.plan import EpochWorkload

HIDDEN_ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
# Every loss with every output activation it allows.
PAIRS = (
    *itertools.product(("squared_error", "absolute_error"), HIDDEN_ACTIVATIONS),
    ("log_loss", "logistic"),
    ("log_loss", "softmax"),
    ("poisson", "exp"),
    *itertools.product(("huber", "quantile"), HIDDEN_ACTIVATIONS),
)
# Options of a step: each solver, plain and with its options.
SOLVERS = [
    {},
    {"alpha": 0.3},
    {"momentum": 0.9},
    {"momentum": 0.8, "nesterov": True, "alpha": 0.1},
    {"solver": "adam"},
    {"solver": "adam", "alpha": 0.1, "beta_1": 0.5},
    {"solver": "adamw", "alpha": 0.3, "beta_2": 0.9},
    {"solver": "adagrad"},
    {"solver": "adagrad", "alpha": 0.1, "epsilon": 1e-3},
    {"solver": "rmsprop", "alpha": 0.1, "beta_2": 0.9},
]


def plan_of(network, rows, n_rows, solver, n_threads=1):
    """The plan for these very rows: `Network.plan` takes their kind for given."""
    work = EpochWorkload(network._layers, network._arena, rows, n_rows, solver)
    work.choose(n_threads)
    return work.plan()


def pairwise(values):
    """Parametrize a test so that any two values of two parameters meet in some case.

    Where a product shows nothing more than its pairs do, this is all of it in a few cases.

    Parameters
    ----------
    values : dict
        From the name of a parameter, or from several with commas between, to its values.
    """
    choices = [list(each) for each in values.values()]
    cases = []
    for numbers in _cases_of_pairs([len(each) for each in choices]):
        case = []
        for name, each, number in zip(values, choices, numbers, strict=True):
            case += each[number] if "," in name else [each[number]]
        cases.append(case)
    return pytest.mark.parametrize(", ".join(values), cases)


def _cases_of_pairs(counts):
    """Yield cases, a number for each parameter, until all pairs of two numbers have been in one."""
    unseen = {
        frozenset(((i, a), (j, b)))
        for i, j in itertools.combinations(range(len(counts)), 2)
        for a, b in itertools.product(range(counts[i]), range(counts[j]))
    }
    while unseen:
        case = dict(min(unseen, key=sorted))
        for i in set(range(len(counts))) - set(case):
            n_new = [
                sum(frozenset(((i, number), other)) in unseen for other in case.items())
                for number in range(counts[i])
            ]
            case[i] = n_new.index(max(n_new))
        unseen -= {frozenset(pair) for pair in itertools.combinations(case.items(), 2)}
        yield [case[i] for i in range(len(counts))]


def random_targets(random, loss, out_activation, shape):
    """Targets that the loss allows; of the log losses half certain, half probabilities."""
    if loss == "poisson":
        return random.poisson(1.0, shape).astype(float)
    if loss != "log_loss":
        return random.normal(size=shape)
    if out_activation == "logistic":
        soft, hard = random.uniform(size=shape), random.integers(0, 2, shape)
    else:
        soft = random.dirichlet(np.ones(shape[1]), shape[0])
        hard = np.eye(shape[1])[random.integers(0, shape[1], shape[0])]
    return np.where(random.integers(0, 2, (shape[0], 1)), soft, hard)


def random_case(
    loss, out_activation, layer_sizes, n_rows, activation="tanh", dtype="float64", seed=0
):
    """A network and rows for it, all of them numbers that the dtype holds exactly."""
    random = np.random.default_rng([seed, *layer_sizes])
    network = fastbp.Network(
        layer_sizes,
        activation=activation,
        out_activation=out_activation,
        loss=loss,
        huber_delta=0.7,
        quantile=0.3,
        dtype=dtype,
        random_state=random,
    )
    X = random.normal(size=(n_rows, layer_sizes[0]))
    y = random_targets(random, loss, out_activation, (n_rows, layer_sizes[-1]))
    return network, rounded(X, dtype), rounded(y, dtype)


def rounded(array, dtype):
    """The array in float64, its values those that the dtype rounds them to."""
    return np.asarray(array).astype(dtype).astype(np.float64)


def memory_mapped(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def parameters_of(network):
    """Copies of all weights, then of all biases."""
    return [np.array(p) for p in (*network.weights, *network.biases)]


def worst_difference(arrays, expected):
    """The largest difference in any array, relative to the largest number expected there."""
    in_float64 = (
        (np.asarray(a, dtype=np.float64), np.asarray(e, dtype=np.float64))
        for a, e in zip(arrays, expected, strict=True)
    )
    return max(np.abs(a - e).max() / max(np.abs(e).max(), 1e-300) for a, e in in_float64)


def copy_on(isa, network):
    """A copy of the network that runs on this instruction set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_core.isa, "ISA", isa)
        patch.setattr(_core.isa, "ISA_IS_FORCED", True)
        copy = network.copy()
    assert copy.plan().isa == isa
    return copy


def counted(monkeypatch, owner, name):
    """Return a list of how many losses each call of a method returns from here on."""
    found, run = [], getattr(owner, name)

    def counting(*arguments):
        losses = run(*arguments)
        found.append(len(losses))
        return losses

    monkeypatch.setattr(owner, name, counting)
    return found


def interrupted_at(nth, call, *arguments):
    """Call and be interrupted, as by Ctrl-C, at the n-th chance; return whether there was one.

    Python looks at signals when a function of its own begins, and when one of C has ended.
    """
    n_left = nth

    def interrupt(frame, event, argument):
        nonlocal n_left
        n_left -= event in ("call", "return", "c_return")
        if n_left == 0:
            raise KeyboardInterrupt

    before = sys.getprofile()
    gc.disable()  # whose callbacks, which are others', swallow what is raised in them
    try:
        sys.setprofile(interrupt)
        call(*arguments)
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(before)
        gc.enable()
    return n_left <= 0
