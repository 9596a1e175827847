"""Random configurations of the drop-in beside scikit-learn's own perceptrons.

`check` draws a model, data and a sequence of calls from a seed, and expects the same outcome of
both: weights, losses, counts, predictions, warnings and exceptions. How far rounding may carry
numbers apart is not guessed: where they differ by more than a small tolerance, scikit-learn trains
again, a few times, on X moved by one unit in the last place and with every other parameter,
activation and loss rounded the other way. What that changes is what rounding may change.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import math
import warnings
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import sklearn.neural_network as host
from scipy import sparse
from sklearn.neural_network._stochastic_optimizers import BaseOptimizer

import fastbp.neural_network as fast
from fastbp.neural_network import perceptrons

HAS_WEIGHTS = "sample_weight" in inspect.signature(host.MLPClassifier.fit).parameters
HAS_POISSON = "loss" in host.MLPRegressor._parameter_constraints
REGRESSION = ("number", "numbers", "large", *["counts", "large counts"] * HAS_POISSON)
CLASSES = ("binary", "classes", "labels")
# Relative to the largest number of an array, what is rounding without a further look.
TOLERANCE = {"float64": 1e-9, "float32": 1e-3}
TINY = 1e-30  # what float32 may round to a subnormal number, or to 0, is compared with this
N_NUDGES = 6  # of X, to see what rounding does,
MORE_NUDGES = 40  # and where that does not explain a difference
HEADROOM = 30  # times what they change


# -- cases ---------------------------------------------------------------------------------------


@dataclasses.dataclass
class Case:
    """A model, its data, and the calls to make."""

    seed: int
    target: str
    parameters: dict[str, Any]
    X: Any
    y: np.ndarray
    sample_weight: np.ndarray | None
    steps: list[tuple[str, Any]]

    def __str__(self) -> str:
        kind = f"{type(self.X).__name__} of {self.X.dtype}, {self.X.shape}"
        weighted = "" if self.sample_weight is None else ", weighted"
        return (
            f"seed {self.seed}: {self.target} ({self.y.dtype}), {kind}{weighted}, {self.steps}, "
            f"{self.parameters}"
        )


def draw_case(seed: int) -> Case:
    """Draw everything from the seed."""
    random = np.random.default_rng(seed)
    n_rows = int(random.integers(1, 61))
    target = str(random.choice(REGRESSION + CLASSES))
    X = _draw_X(random, n_rows)
    y = _draw_y(random, target, X)
    weights = None
    if HAS_WEIGHTS and random.random() < 0.3:
        weights = random.uniform(0.1, 3, n_rows)
        weights[random.random(n_rows) < random.choice([0, 0, 0.2])] = 0
        # No float32 beside X of float64: such weights scikit-learn adds up in float32, fastbp not.
        weights = weights.astype(random.choice(["float64", str(X.dtype)]))
    if random.random() < 0.25:
        X = (sparse.csr_matrix if random.random() < 0.7 else sparse.csc_matrix)(X)
    parameters = _draw_parameters(random, n_rows)
    if "counts" in target:
        parameters["loss"] = "poisson"
    return Case(seed, target, parameters, X, y, weights, _draw_steps(random, n_rows))


def _draw_X(random: np.random.Generator, n_rows: int) -> np.ndarray:
    X = random.normal(size=(n_rows, int(random.choice([1, 2, 5, 8, 17]))))
    X[random.random(X.shape) < random.choice([0, 0, 0.5, 0.9])] = 0
    X *= _choose(random, [1, 1, 1, 1, 1e-3, 30, 1e3, 1e-20, 1e10])
    return X.astype(random.choice(["float64", "float32"]))


def _draw_y(random: np.random.Generator, target: str, X: np.ndarray) -> np.ndarray:
    n_rows = len(X)
    if target in CLASSES:
        if target == "labels":
            return (random.random((n_rows, int(random.integers(2, 5)))) < 0.4).astype(int)
        # every class among the first rows, as far as there are rows
        y = np.arange(n_rows) % (2 if target == "binary" else int(random.integers(3, 6)))
        return np.array(["a", "b", "c", "d", "e"])[y] if random.random() < 0.2 else y
    if "counts" in target:
        mean = 1.0 if target == "counts" else 10 ** random.uniform(1, 7)
        return random.poisson(mean, n_rows).astype(random.choice(["float64", "float32", "int64"]))
    shape = (n_rows, int(random.integers(2, 4))) if target == "numbers" else (n_rows,)
    scale = 10 ** random.uniform(2, 12) if target == "large" else 1.0
    return (scale * random.normal(size=shape)).astype(random.choice(["float64", "float32"]))


def _choose(random: np.random.Generator, choices: list[Any]) -> Any:
    return choices[int(random.integers(len(choices)))]


def _draw_parameters(random: np.random.Generator, n_rows: int) -> dict[str, Any]:
    def choose(*choices: Any) -> Any:
        return _choose(random, list(choices))

    rate = choose(1e-3, 1e-3, 1e-2, 0.1, 0.5, 10 ** random.uniform(-6, 3))
    if random.random() < 0.15:
        rate = choose(1e-300, 1e-40, 1e-20, 1e10, 1e30, 1e100, 1e300, 1e308)
    return {
        "hidden_layer_sizes": choose((1,), (7,), (4, 3), (9,), (16, 5), (70,), []),
        "activation": choose("identity", "logistic", "tanh", "relu"),
        "solver": choose("sgd", "adam"),
        "alpha": choose(1e-4, 0.0, 0.1, 10.0, 1e5, 1e-300, 1e-42),
        "batch_size": choose("auto", 1, 1, 2, 5, 16, n_rows),
        "learning_rate": choose("constant", "invscaling", "adaptive"),
        "learning_rate_init": float(rate),
        "power_t": choose(0.5, 0.0, 2.0, 40.0),
        "max_iter": choose(1, 2, 3, 6, 25),
        "shuffle": choose(True, False),
        "random_state": int(random.integers(100)),
        "tol": choose(1e-4, 0.0, 0.1, 1e-12, 1e6),
        "momentum": choose(0.9, 0.0, 0.5, 1e-300, 1 - 1e-16, 1.0),
        "nesterovs_momentum": choose(True, False),
        "early_stopping": choose(False, False, False, True),
        "validation_fraction": choose(0.1, 0.4),
        "beta_1": choose(0.9, 0.9, 0.0, 0.5, 1e-300, 1 - 1e-16),
        "beta_2": choose(0.999, 0.999, 0.0, 0.5, 1e-300, 1 - 1e-16, 1 - 1e-8),
        "epsilon": choose(1e-8, 1e-8, 1e-300, 1e-45, 1e-40, 1e-30, 1e-15, 1.0, 1e30, 1e300),
        "n_iter_no_change": choose(10, 1, 3),
        "warm_start": choose(False, False, True),
    }


def _draw_steps(random: np.random.Generator, n_rows: int) -> list[tuple[str, Any]]:
    """Draw a sequence of calls: fit, partial_fit of some rows, and other parameters in between."""
    if random.random() < 0.5:
        return [("fit", n_rows)]
    steps: list[tuple[str, Any]] = []
    for _ in range(int(random.integers(1, 6))):
        kind = _choose(random, ["fit", "partial", "partial", "partial", "set"])
        if kind == "set":
            changed = _draw_parameters(random, n_rows)
            names = ["alpha", "batch_size", "learning_rate_init", "solver", "early_stopping"]
            steps.append(("set", {name: changed[name] for name in random.choice(names, 2)}))
        else:
            some = [n_rows, n_rows, 1, int(random.integers(1, n_rows + 1))]
            steps.append((kind, n_rows if kind == "fit" else _choose(random, some)))
    return steps


# -- outcomes ------------------------------------------------------------------------------------


@dataclasses.dataclass
class Outcome:
    """What the calls have led to.

    Attributes
    ----------
    events : list
        What each call raised or warned of, and what is counted: to be the same exactly.
    arrays : dict
        Numbers, to be the same to rounding.
    """

    events: list[Any]
    arrays: dict[str, np.ndarray]


def run(module: Any, case: Case) -> Outcome:
    """Make the calls of a case on a model of scikit-learn's module or ours."""
    name = "MLPRegressor" if case.target in REGRESSION else "MLPClassifier"
    model = getattr(module, name)(**case.parameters)
    events = [_event(lambda step=step: _act(model, case, step)) for step in case.steps]
    events.append(
        [getattr(model, name, None) for name in ("n_iter_", "t_", "_no_improvement_count")]
    )
    arrays = _numbers_of(model)
    events.append(sorted(arrays))
    if "loss_" in arrays:
        with np.errstate(all="ignore"):
            predict = getattr(model, "predict_proba", None) or model.predict
            events.append(_event(lambda: arrays.update(predictions=np.asarray(predict(case.X)))))
    return Outcome(events, arrays)


def _act(model: Any, case: Case, step: tuple[str, Any]) -> None:
    kind, value = step
    if kind == "set":
        model.set_params(**value)
        return
    options = {}
    if case.sample_weight is not None and kind == "fit":
        options["sample_weight"] = case.sample_weight[:value]
    if kind == "partial" and case.target in CLASSES:
        labels = case.target == "labels"
        options["classes"] = np.arange(case.y.shape[1]) if labels else np.unique(case.y)
    method = model.fit if kind == "fit" else model.partial_fit
    method(case.X[:value], case.y[:value], **options)


def _event(act: Any) -> tuple[Any, ...]:
    """Return what a call raised, NumPy's remarks on its way, and all other warnings."""
    raised = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            act()
        except Exception as error:
            raised = type(error).__name__, str(error)
    warned = sorted(f"{w.category.__name__}: {w.message}" for w in caught)
    return (
        raised,
        sorted({text for text in warned if text.startswith("RuntimeWarning")}),
        [text for text in warned if not text.startswith("RuntimeWarning")],
    )


def _numbers_of(model: Any) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name in (
        "loss_",
        "best_loss_",
        "loss_curve_",
        "validation_scores_",
        "best_validation_score_",
    ):
        value = getattr(model, name, None)
        if value is not None:
            found[name] = np.asarray(value)
    for name in ("coefs_", "intercepts_"):
        for i, array in enumerate(getattr(model, name, ())):
            found[f"{name}[{i}]"] = array
    optimizer = getattr(model, "_optimizer", None)
    if optimizer is not None:
        found["rate"] = np.asarray(optimizer.learning_rate)
        for name in ("velocities", "ms", "vs"):
            for i, array in enumerate(getattr(optimizer, name, ())):
                if name != "velocities" or optimizer.momentum:  # else no step looks at them
                    found[f"{name}[{i}]"] = array
    return found


# -- comparison ----------------------------------------------------------------------------------


def distances(one: Outcome, other: Outcome) -> dict[str, float]:
    """Return how far each array is from the other's, relative to its largest number.

    Infinite where they are not of one shape and dtype or not finite in the same places.
    """
    return {
        name: _distance(one.arrays[name], other.arrays[name])
        for name in one.arrays.keys() & other.arrays.keys()
    }


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape or a.dtype != b.dtype:
        return math.inf
    if a.dtype.kind not in "fiu":
        return 0.0 if np.array_equal(a, b) else math.inf
    finite = np.isfinite(a)
    if not np.array_equal(finite, np.isfinite(b)) or not np.array_equal(
        a[~finite], b[~finite], equal_nan=True
    ):
        return math.inf
    if not finite.any():
        return 0.0
    # halves, whose difference cannot overflow
    a, b = a[finite].astype(np.float64) / 2, b[finite].astype(np.float64) / 2
    largest = max(np.abs(a).max(), np.abs(b).max())
    return float(np.abs(a - b).max() / max(largest, TINY))


def nudged_case(case: Case, random: np.random.Generator) -> Case:
    """Return the case with X moved by a unit in the last place, and by one the sum of weights."""
    weights = case.sample_weight
    if weights is not None:
        weights = weights.copy()
        unit = np.spacing(weights.sum())
        weights[int(weights.argmax())] += unit if random.random() < 0.5 else -unit
    return dataclasses.replace(case, X=nudged(case.X, random), sample_weight=weights)


def nudged(X: Any, random: np.random.Generator) -> Any:
    """Return X with every number, unless it is 0, moved by one unit in the last place."""
    moved = X.copy()
    values = moved.data if sparse.issparse(moved) else moved
    ends = np.array([-np.inf, np.inf], values.dtype)
    values[...] = np.where(values == 0, 0, np.nextafter(values, random.choice(ends, values.shape)))
    return moved


@contextlib.contextmanager
def rounded_otherwise(random: np.random.Generator) -> Iterator[None]:
    """Have scikit-learn round parameters, activations and losses up or down at random.

    Parameters from the beginning: a step may leave of one just its last digit.

    Where X is small or activations are flat, this is what numbers depend on, and not X: of
    1 - a**2, the derivative, a flat tanh leaves few digits, and these depend on the last one of a.
    Whether a loss that stands still is an improvement depends on its own last digit.
    """
    inside, optimizer = host._multilayer_perceptron, BaseOptimizer
    table, losses = inside.ACTIVATIONS, inside.LOSS_FUNCTIONS
    update_params = optimizer.update_params
    flat_from = {"tanh": 20.0, "logistic": 40.0, "softmax": math.inf, "exp": math.inf}
    changed = {name: _rounding(table[name], z, random) for name, z in flat_from.items()}

    def update_otherwise(self: Any, params: list[np.ndarray], grads: list[np.ndarray]) -> None:
        update_params(self, params, grads)
        for array in params:
            array[...] = nudged(array, random)

    initialize = host.MLPClassifier._initialize

    def initialize_otherwise(self: Any, *args: Any) -> None:
        initialize(self, *args)
        for array in [*self.coefs_, *self.intercepts_]:
            array[...] = nudged(array, random)

    def loss_otherwise(name: str, loss: Any) -> Any:
        def rounded(y: Any, a: Any, *weights: Any) -> Any:
            moved = nudged(np.asarray(loss(y, a, *weights)), random)[()]
            if "log_loss" in name:  # of 1 - a, which has been rounded to this
                moved += moved.dtype.type(random.uniform(-1, 1) * np.finfo(a.dtype).eps)
            return moved

        return rounded

    with (
        mock.patch.dict(table, changed),
        mock.patch.dict(losses, {name: loss_otherwise(name, f) for name, f in losses.items()}),
        mock.patch.object(
            host._multilayer_perceptron.BaseMultilayerPerceptron,
            "_initialize",
            initialize_otherwise,
        ),
        mock.patch.object(optimizer, "update_params", update_otherwise),
    ):
        yield


def _rounding(activate: Any, flat_from: float, random: np.random.Generator) -> Any:
    """Return the activation with its last digit changed, but for numbers from which it is exact."""

    def activate_otherwise(z: np.ndarray) -> None:
        is_flat = np.abs(z) >= flat_from
        activate(z)
        exact = z[is_flat]
        z[...] = nudged(z, random)
        z[is_flat] = exact
        if flat_from < math.inf:  # of logistic and tanh, which never exceed 1
            np.clip(z, -1, 1, out=z)

    return activate_otherwise


def check(seed: int) -> None:
    """Raise AssertionError where scikit-learn and the drop-in differ by more than rounding may."""
    case = draw_case(seed)
    with mock.patch.object(perceptrons, "FEW_TO_PREDICT", 0):
        ours = run(fast, case)
    theirs = run(host, case)
    found, allowed = distances(theirs, ours), TOLERANCE[str(case.X.dtype)]
    if theirs.events == ours.events and all(d <= allowed for d in found.values()):
        return
    random = np.random.default_rng(seed)
    moved: list[Outcome] = []
    for n in (N_NUDGES, MORE_NUDGES):
        while len(moved) < n:
            is_otherwise = len(moved) % 2
            with rounded_otherwise(random) if is_otherwise else contextlib.nullcontext():
                moved.append(run(host, nudged_case(case, random)))
        complaints = _complaints(theirs, ours, moved, allowed)
        if not complaints:
            return
    raise AssertionError("\n  ".join([str(case), *complaints]))


def _is_only_silent(expected: Any, got: Any) -> bool:
    """Whether only NumPy's remarks are missing, on its own way to numbers that are the same."""
    if not isinstance(expected, tuple):
        return False
    return (expected[0], expected[2]) == (got[0], got[2]) and set(got[1]) <= set(expected[1])


def _complaints(theirs: Outcome, ours: Outcome, moved: list[Outcome], allowed: float) -> list[str]:
    """Return what is different by more than moving X makes it."""
    complaints = []
    if all(one.events == theirs.events for one in moved):
        for expected, got in zip(theirs.events, ours.events, strict=True):
            if expected != got and not _is_only_silent(expected, got):
                complaints.append(f"expected {expected}\n       got {got}")
    spreads = [distances(theirs, one) for one in moved]
    for name, distance in distances(theirs, ours).items():
        spread = max(one.get(name, math.inf) for one in spreads)
        if distance > max(allowed, HEADROOM * spread):
            complaints.append(f"{name}: {distance:.1e}, where moving X makes {spread:.1e}")
    return complaints
