"""State machines: any calls of a network or an estimator, one after another, in any order.

Beside the object stands what must be true of it, and up to two duplicates of it, copies or
pickles, that
every call is made on as well: they must come to the same bits. A call that fails must leave
everything as it was.
"""

import copy
import itertools
import math
import pickle

import hypothesis
import numpy as np
import pytest
from cases import PAIRS, random_targets
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from plain_models import BackpropClassifier, BackpropRegressor
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils import check_random_state

import fastbp
from fastbp import DivergenceWarning, Network
from fastbp.network.catalogue import HIDDEN_ACTIVATIONS
from fastbp.network.solver import SOLVERS

from .values import dense_form, diverged, only_warnings_of, sparse_form, state_of

MAX_DUPLICATES = 2
MAX_ROWS = 40  # so few that an epoch is one piece of work
REFUSED = (ValueError, TypeError)
SEEDS = st.integers(0, 2**32 - 1)
RATES = st.sampled_from([1e-6, 1e-3, 0.03, 0.3, 100.0, 1e8, 1e30])
COPIES = {
    "copy": lambda one: one.copy() if isinstance(one, Network) else copy.deepcopy(one),
    "deepcopy": copy.deepcopy,
    "pickle": lambda one: pickle.loads(pickle.dumps(one)),
    "old pickle": lambda one: pickle.loads(pickle.dumps(one, 2)),
}


def must_fail(call, kinds=REFUSED):
    """Make a call that must fail by an error that says something."""
    with pytest.raises(kinds) as caught:
        call()
    assert str(caught.value)


class Machine(RuleBasedStateMachine):
    """What both machines share: duplicates."""

    def __init__(self):
        super().__init__()
        self.subject, self.duplicates = None, []

    def on_all(self, call):
        """Make a call on the subject and on its duplicates; all must return the same."""
        results = [call(one) for one in (self.subject, *self.duplicates)]
        for result in results[1:]:
            assert repr(result) == repr(results[0])
        return results[0]

    @rule(how=st.sampled_from(sorted(COPIES)))
    def make_reference(self, how):
        self.duplicates = [*self.duplicates, COPIES[how](self.subject)][-MAX_DUPLICATES:]

    @rule(how=st.sampled_from(sorted(COPIES)))
    def be_replaced_by_a_copy(self, how):
        self.subject = COPIES[how](self.subject)


# -- networks --------------------------------------------------------------------------------------

FAILING_OF_NETWORK = {
    "another number of features": lambda n, X, y: n.forward(X[:, 1:]),
    "NaN": lambda n, X, y: n.train_epoch(np.where(X == X.max(), np.nan, X), y, 0.1),
    "text": lambda n, X, y: n.train_epoch(X.astype(str), y, 0.1),
    "no targets": lambda n, X, y: n.train_epoch(X, None, 0.1),
    "too few targets": lambda n, X, y: n.train_epoch(X, y[1:], 0.1),
    "no rows": lambda n, X, y: n.train_epoch(X[:0], y[:0], 0.1),
    "rate 0": lambda n, X, y: n.train_epoch(X, y, 0.0),
    "rate of text": lambda n, X, y: n.step(X[0], y[0], "0.1"),
    "a row too many": lambda n, X, y: n.train_epoch(X, y, 0.1, order=[0, len(X)]),
    "a row before the first": lambda n, X, y: n.train_epoch(X, y, 0.1, order=[-1]),
    "negative weights": lambda n, X, y: n.train_epoch(X, y, 0.1, sample_weight=-np.ones(len(X))),
    "momentum 1": lambda n, X, y: n.train_epoch(X, y, 0.1, momentum=1),
    "unknown solver": lambda n, X, y: n.train_epoch(X, y, 0.1, solver="lbfgs"),
    "batches of none": lambda n, X, y: n.train_epoch(X, y, 0.1, batch_size=0),
    "dropout of all": lambda n, X, y: n.train_epoch(X, y, 0.1, dropout=1.0),
    "step of two rows": lambda n, X, y: n.step(np.vstack([X, X])[:2], y[0], 0.1),
    "weights of another shape": lambda n, X, y: n.weights.__setitem__(0, np.zeros((99, 98))),
    "weights of too few layers": lambda n, X, y: setattr(n, "weights", n.weights[:-1]),
    "weights of which the last is NaN": lambda n, X, y: setattr(
        n, "weights", [*(W + 1 for W in n.weights[:-1]), n.weights[-1] * np.nan]
    ),
    "a bias of text": lambda n, X, y: n.biases.__setitem__(-1, ["x"] * len(n.biases[-1])),
    "state without parameters": lambda n, X, y: n.__setstate__(
        {k: v for k, v in n.__getstate__().items() if k != "parameters"}
    ),
    "state of float16": lambda n, X, y: n.__setstate__(
        {**n.__getstate__(), "dtype": np.dtype("f2")}
    ),
    "state of other layers": lambda n, X, y: n.__setstate__(
        {**n.__getstate__(), "layer_sizes": (*n.layer_sizes[:-1], n.layer_sizes[-1] + 1)}
    ),
}
READ_ONLY = (
    "dtype",
    "layer_sizes",
    "activation",
    "out_activation",
    "loss_name",
    "huber_delta",
    "quantile",
)


@st.composite
def solvers(draw):
    """Options of `Network.train_epoch`, any rate among them."""
    options = {
        "learning_rate": draw(RATES),
        "alpha": draw(st.sampled_from([0.0, 0.0, 1e-3, 0.5])),
        "batch_size": draw(st.sampled_from([1, 1, 3, 16, 1000])),
        "dropout": draw(st.sampled_from([0.0, 0.0, 0.4])),
        "n_threads": draw(st.integers(1, 3)),
    }
    kind = draw(st.sampled_from(["plain", "momentum", *SOLVERS[1:]]))
    if kind == "momentum":
        options["momentum"], options["nesterov"] = draw(
            st.sampled_from([(0.5, True), (0.9, False)])
        )
    if kind in SOLVERS:
        options["solver"] = kind
    return options


class NetworkMachine(Machine):
    """Any calls of a `Network`."""

    @initialize(
        sizes=st.lists(st.integers(1, 11), min_size=2, max_size=4),
        pair=st.sampled_from(PAIRS),
        dtype=st.sampled_from(["float64", "float32"]),
        activation=st.sampled_from(HIDDEN_ACTIVATIONS),
        seed=SEEDS,
    )
    def make(self, sizes, pair, dtype, activation, seed):
        if pair[1] == "softmax":
            sizes[-1] += 1
        self.made_of = {
            "layer_sizes": tuple(sizes),
            "activation": (activation,) * (len(sizes) - 2),
            "loss_name": pair[0],
            "out_activation": pair[1],
            "dtype": np.dtype(dtype),
            "huber_delta": 1.5,
            "quantile": 0.25,
        }
        options = {"loss": pair[0], "out_activation": pair[1], "huber_delta": 1.5, "quantile": 0.25}
        self.subject = Network(
            sizes, activation=activation, dtype=dtype, random_state=seed, **options
        )

    def rows(self, seed, n_rows):
        """Rows and targets."""
        random = np.random.default_rng(seed)
        network = self.subject
        X = random.normal(size=(n_rows, network.layer_sizes[0])).astype(network.dtype)
        X[random.random(X.shape) < random.choice([0, 0.7])] = 0
        shape = (n_rows, network.layer_sizes[-1])
        y = random_targets(random, network.loss_name, network.out_activation, shape)
        return random, X, y.astype(network.dtype)

    def train_all(self, train):
        """Train all; where it diverges, the parameters are those from before."""
        before = state_of(self.subject)[1]
        with only_warnings_of(DivergenceWarning) as caught:
            loss = self.on_all(train)
        assert math.isfinite(loss) != diverged(caught)
        if diverged(caught):
            assert state_of(self.subject)[1] == before

    @rule(seed=SEEDS, n_rows=st.integers(1, MAX_ROWS), options=solvers())
    def train_epoch(self, seed, n_rows, options):
        random, X, y = self.rows(seed, n_rows)
        weights = random.uniform(0.1, 2, n_rows) if random.integers(2) else None
        order = random.integers(0, n_rows, 2 * n_rows) if random.integers(2) else None
        form = sparse_form if random.integers(2) else dense_form
        rows = form(random, X, X.dtype)
        self.train_all(
            lambda one: one.train_epoch(rows, y, order=order, sample_weight=weights, **options)
        )

    @rule(seed=SEEDS, rate=RATES)
    def step(self, seed, rate):
        _, X, y = self.rows(seed, 1)
        self.train_all(lambda one: one.step(X[0], y[0], rate))

    @rule(seed=SEEDS, n_rows=st.integers(1, MAX_ROWS))
    def look(self, seed, n_rows):
        """Looking changes nothing; rows get the same answer alone, with others and as CSR."""
        random, X, y = self.rows(seed, n_rows)
        network, before = self.subject, state_of(self.subject)
        outputs = network.forward(X)
        assert outputs.dtype == network.dtype
        assert outputs.shape == (n_rows, network.layer_sizes[-1])
        close = {"rtol": 1e4 * np.finfo(X.dtype).eps, "atol": 1e2 * np.finfo(X.dtype).eps}
        scale = max(1.0, float(np.abs(outputs).max()))
        # Products of weights near the end of the dtype overflow in one order of adding them up, and
        # in another one not.
        largest = max(float(np.abs(W).max()) for W in (*network.weights, *network.biases))
        if math.isfinite(scale) and largest < np.sqrt(np.finfo(X.dtype).max) * 1e-3:
            np.testing.assert_allclose(network.forward(X[0]) / scale, outputs[0] / scale, **close)
            rows = sparse_form(random, X, X.dtype)
            np.testing.assert_allclose(network.forward(rows) / scale, outputs / scale, **close)
        assert repr(network.loss(X, y)) == repr(self.on_all(lambda one: one.loss(X, y)))
        assert network.sensitivity(X).shape == (
            n_rows,
            network.layer_sizes[-1],
            network.layer_sizes[0],
        )
        network.gradients(X, y)
        assert state_of(network) == before

    @rule(seed=SEEDS)
    def trace(self, seed):
        """A trace comes to the weights of the same step."""
        _, X, y = self.rows(seed, 1)
        before, after = state_of(self.subject), self.subject.copy()
        with only_warnings_of(DivergenceWarning):
            trace = fastbp.trace_step(self.subject, X[0], y[0], 0.01)
            after.step(X[0], y[0], 0.01)
        assert state_of(self.subject) == before
        for layer, expected in zip(trace.layers, after.weights, strict=True):
            np.testing.assert_array_equal(layer.new_W, expected)

    @rule(name=st.sampled_from(sorted(FAILING_OF_NETWORK)), seed=SEEDS)
    def fail(self, name, seed):
        _, X, y = self.rows(seed, 3)
        before = state_of(self.subject)
        must_fail(lambda: FAILING_OF_NETWORK[name](self.subject, X, y))
        assert state_of(self.subject) == before

    @rule(name=st.sampled_from(READ_ONLY))
    def describe_otherwise(self, name):
        must_fail(lambda: setattr(self.subject, name, getattr(self.subject, name)), AttributeError)

    @rule(seed=SEEDS, layer=st.integers(-2, -1), whole=st.booleans())
    def assign(self, seed, layer, whole):
        random = np.random.default_rng(seed)
        weights = [random.normal(size=W.shape) for W in self.subject.weights]
        layer = max(layer, -len(weights))

        def assign(one):
            if whole:
                one.weights = weights
            else:
                one.weights[layer] = weights[layer].tolist()
                one.biases[layer][...] = 0.5

        self.on_all(assign)
        found = self.subject.weights[layer]
        np.testing.assert_array_equal(found, weights[layer].astype(self.subject.dtype))

    @rule()
    def reset_solver(self):
        self.on_all(lambda one: one.reset_solver())

    @rule()
    def state_comes_back(self):
        """A state that is taken and given back changes nothing."""
        before = state_of(self.subject)
        self.subject.__setstate__(self.subject.__getstate__())
        assert state_of(self.subject) == before

    @invariant()
    def is_sound(self):
        if self.subject is None:
            return
        for name, value in self.made_of.items():
            assert getattr(self.subject, name) == value
        assert all(np.isfinite(p).all() for p in (*self.subject.weights, *self.subject.biases))
        for duplicate in self.duplicates:
            assert state_of(duplicate) == state_of(self.subject)
            assert not np.shares_memory(duplicate.weights[0], self.subject.weights[0])


# -- estimators ------------------------------------------------------------------------------------

PARAMETERS = {
    "learning_rate_init": [1e-6, 1e-3, 0.05, 1e3, 1e30],
    "alpha": [0.0, 1e-4, 0.1],
    "batch_size": [1, 5, 200],
    "solver": list(SOLVERS),
    "momentum": [0.0, 0.9],
    "nesterovs_momentum": [True, False],
    "shuffle": [True, False],
    "max_iter": [1, 2, 7],
    "tol": [0.0, 1e-4],
    "n_iter_no_change": [1, 10],
    "learning_rate": [
        "constant",
        "invscaling",
        "adaptive",
        "cosine",
        "one_cycle",
        "exponential",
        "step",
    ],
    "learning_rate_options": [None, None, {"warmup": 0.3}],
    "early_stopping": [False, False, False, True],
    "warm_start": [False, True],
    "dropout": [0.0, 0.0, 0.3],
    "n_threads": [1, 2],
    "n_init": [1, 1, 3],
    "activation": HIDDEN_ACTIVATIONS,
}
WRONG_PARAMETERS = {
    "learning_rate_init": [0.0, -1, "x", math.nan, None],
    "alpha": [-1, math.inf],
    "batch_size": [0, 2.5, "auto"],
    "solver": ["lbfgs", 1],
    "momentum": [1.0, -0.1],
    "max_iter": [0, 1.5],
    "activation": ["sigmoid", None],
    "hidden_layer_sizes": [0, (3, -1), "5"],
    "dropout": [1.0, (0.1, 0.2, 0.3)],
    "warm_start": [1, "yes"],
}
FAILING_OF_ESTIMATOR = {
    "fit without targets": lambda m, X, y: m.fit(X, None),
    "fit on NaN": lambda m, X, y: m.fit(np.where(X == X.max(), np.nan, X), y),
    "fit on text": lambda m, X, y: m.fit(X.astype(str) + "a", y),
    "fit on no rows": lambda m, X, y: m.fit(X[:0], y[:0]),
    "fit on too few targets": lambda m, X, y: m.fit(X, y[1:]),
    "fit with negative weights": lambda m, X, y: m.fit(X, y, sample_weight=-np.ones(len(X))),
    "fit with half of what is held out": lambda m, X, y: m.fit(X, y, X_val=X),
    "partial_fit on other features": lambda m, X, y: m.partial_fit(X[:, 1:], y),
    "partial_fit on infinity": lambda m, X, y: m.partial_fit(X * np.inf, y),
    "partial_fit without targets": lambda m, X, y: m.partial_fit(X, None),
    "predict other features": lambda m, X, y: m.predict(np.hstack([X, X])),
    "predict NaN": lambda m, X, y: m.predict(X * np.nan),
    "predict one of two rows": lambda m, X, y: m.predict_one(X[:2]),
    "score too few targets": lambda m, X, y: m.score(X, y[1:]),
    "weights of another shape": lambda m, X, y: m.coefs_.__setitem__(0, np.zeros((77, 3))),
    "intercepts that are NaN": lambda m, X, y: setattr(
        m, "intercepts_", [b * np.nan for b in m.intercepts_]
    ),
}
TARGETS = {
    "number": (BackpropRegressor, lambda r, X: X[:, 0] + r.normal(size=len(X))),
    "numbers": (BackpropRegressor, lambda r, X: r.normal(size=(len(X), 3))),
    "two classes": (
        BackpropClassifier,
        lambda r, X: np.array([False, True])[np.arange(len(X)) % 2],
    ),
    "classes": (BackpropClassifier, lambda r, X: np.array(["b", "a", "c"])[np.arange(len(X)) % 3]),
    "labels": (
        BackpropClassifier,
        lambda r, X: np.eye(4, dtype=int)[np.arange(len(X)) % 4] | (X[:, :1] > 0),
    ),
}
N_FEATURES = 4
MIN_TO_FIT, MAX_TO_FIT = 30, 60  # enough to hold out some of every class
PROBE = np.random.default_rng(1).normal(size=(15, N_FEATURES))
EXPECTED_WARNINGS = (DivergenceWarning, ConvergenceWarning, UserWarning)


class EstimatorMachine(Machine):
    """Any calls of a `BackpropRegressor` or a `BackpropClassifier`."""

    def __init__(self):
        super().__init__()
        self.is_fitted = False
        self.n_iter, self.t = 0, 0

    @initialize(
        to_learn=st.sampled_from(sorted(TARGETS)),
        hidden=st.sampled_from([(), (5,), (9, 4)]),
        single=st.booleans(),
        random_state=st.integers(0, 100),
    )
    def make(self, to_learn, hidden, single, random_state):
        kind, self.targets = TARGETS[to_learn]
        self.dtype = np.dtype("float32" if single else "float64")
        self.subject = kind(
            hidden_layer_sizes=hidden,
            max_iter=4,
            random_state=random_state,
            learning_rate_init=0.05,
        )

    def rows(self, seed, n_rows):
        random = np.random.default_rng(seed)
        X = random.normal(size=(n_rows, N_FEATURES)).astype(self.dtype)
        return random, X, self.targets(random, X)

    def weights(self, random, n_rows):
        return random.choice([0.5, 1.0, 2.5], n_rows) if random.random() < 0.3 else None

    # -- training

    @rule(seed=SEEDS, n_rows=st.integers(MIN_TO_FIT, MAX_TO_FIT))
    def fit(self, seed, n_rows):
        random, X, y = self.rows(seed, n_rows)
        goes_on = self.subject.warm_start and self.is_fitted
        if goes_on and not self.could_continue():
            return self.must_be_refused(lambda: self.subject.fit(X, y))
        weights = self.weights(random, n_rows)
        form = sparse_form if random.random() < 0.3 else dense_form
        rows = form(random, X, self.dtype)
        if isinstance(rows, list) or rows.dtype not in ("float32", "float64"):
            rows = X  # else scikit-learn's checks choose the dtype
        before = copy.deepcopy(self.subject)
        with only_warnings_of(*EXPECTED_WARNINGS) as caught:
            self.on_all(lambda one: one.fit(rows, y, sample_weight=weights) and one.loss_)
        self.note(goes_on, n_rows, weights is None and not self.subject.early_stopping)
        assert goes_on or self.subject.network_.dtype == rows.dtype
        self.dtype = self.subject.network_.dtype
        self.check_losses(caught)
        if not self.subject.early_stopping and self.subject.n_init == 1 and weights is None:
            self.is_no_worse_than_at_first(caught, before, goes_on, rows, y)

    def could_continue(self):
        """Whether the parameters still describe the fitted network."""
        network = self.subject.network_
        return network.activation == (self.subject.activation,) * (len(network.layer_sizes) - 2)

    def must_be_refused(self, call):
        before = self.fingerprint(self.subject)
        must_fail(call)
        assert self.fingerprint(self.subject) == before

    def note(self, goes_on, n_rows, visits_all):
        """Count epochs and samples as the attributes should."""
        model = self.subject
        self.is_fitted = True
        n_epochs = model.n_iter_ - (self.n_iter if goes_on else 0)
        assert 1 <= n_epochs <= model.max_iter
        n_samples = model.t_ - (self.t if goes_on else 0)
        assert n_samples == n_epochs * n_rows if visits_all else n_samples > 0
        self.n_iter, self.t = model.n_iter_, model.t_

    def check_losses(self, caught):
        model = self.subject
        assert math.isfinite(model.loss_) or diverged(caught)
        assert not math.isnan(model.loss_)
        assert all(type(loss) is float for loss in model.loss_curve_)

    def is_no_worse_than_at_first(self, caught, before, goes_on, X, y):
        """What is kept after training diverged is as good as what it began with."""
        if not any("Training diverged" in str(one.message) for one in caught):
            return
        start = copy.deepcopy(self.subject)
        network = before.network_ if goes_on else self.new_network(before)
        start.coefs_, start.intercepts_ = network.weights, network.biases
        first, now = (fastbp.sensitivity_of_loss(m, X, y).loss for m in (start, self.subject))
        assert now <= first * (1 + 1e-5)

    def new_network(self, model):
        """The network that a fit begins with."""
        made = self.subject.network_
        return Network(
            made.layer_sizes,
            activation=made.activation,
            loss=made.loss_name,
            out_activation=made.out_activation,
            dtype=made.dtype,
            random_state=check_random_state(model.random_state),
        )

    @rule(seed=SEEDS, n_rows=st.integers(1, MAX_ROWS))
    def partial_fit(self, seed, n_rows):
        random, X, y = self.rows(seed, max(n_rows, 4))
        X, y = X[:n_rows], y[:n_rows]
        classes = (
            {} if y.ndim == 2 or y.dtype.kind == "f" else {"classes": np.unique(self.rows(0, 9)[2])}
        )
        if self.subject.early_stopping or (self.is_fitted and not self.could_continue()):
            return self.must_be_refused(lambda: self.subject.partial_fit(X, y, **classes))
        if self.is_fitted and random.integers(2):
            classes = {}
        weights = self.weights(random, n_rows)
        before = self.fingerprint(self.subject)["network"][1] if self.is_fitted else None
        with only_warnings_of(*EXPECTED_WARNINGS) as caught:
            self.on_all(
                lambda one: one.partial_fit(X, y, sample_weight=weights, **classes) and one.loss_
            )
        model = self.subject
        self.dtype, self.is_fitted = model.network_.dtype, True
        assert model.n_iter_ == self.n_iter + 1
        assert weights is not None or model.t_ == self.t + n_rows
        self.n_iter, self.t = model.n_iter_, model.t_
        self.check_losses(caught)
        if diverged(caught) and before is not None:
            assert state_of(model.network_)[1] == before

    # -- using it

    @precondition(lambda self: self.is_fitted)
    @rule(seed=SEEDS, n_rows=st.integers(4, MAX_ROWS))
    def predict(self, seed, n_rows):
        _, X, y = self.rows(seed, n_rows)
        model, before = self.subject, self.fingerprint(self.subject)
        predicted = model.predict(X)
        assert predicted.shape == y.shape
        assert math.isfinite(self.on_all(lambda one: one.score(X, y)))
        if isinstance(model, BackpropClassifier):
            self.look_at_probabilities(X, predicted)
        else:
            assert predicted.dtype == self.dtype
            close = 1e3 * np.finfo(self.dtype).eps
            scale = max(1, np.abs(predicted).max())
            assert np.abs(model.predict_one(X[0]) - predicted[0]).max() <= close * scale
        assert self.fingerprint(model) == before

    def look_at_probabilities(self, X, predicted):
        model = self.subject
        probabilities = model.predict_proba(X)
        assert probabilities.shape == (len(X), len(model.classes_))
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
        assert np.isfinite(model.predict_log_proba(X)).all()
        np.testing.assert_allclose(
            model.predict_proba_one(X[0]), probabilities[0], rtol=1e-3, atol=1e-5
        )
        if predicted.ndim == 1:
            np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
            np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], predicted)

    @precondition(lambda self: not self.is_fitted)
    @rule()
    def use_too_early(self):
        for call in (self.subject.predict, self.subject.predict_one, self.subject.sensitivity):
            must_fail(lambda call=call: call(PROBE), NotFittedError)

    @precondition(lambda self: self.is_fitted)
    @rule(name=st.sampled_from(sorted(FAILING_OF_ESTIMATOR)), seed=SEEDS)
    def fail(self, name, seed):
        _, X, y = self.rows(seed, 9)
        self.must_be_refused(lambda: FAILING_OF_ESTIMATOR[name](self.subject, X, y))

    @precondition(lambda self: self.is_fitted)
    @rule(name=st.sampled_from(sorted(WRONG_PARAMETERS)), k=st.integers(0, 4), seed=SEEDS)
    def fail_for_a_parameter(self, name, k, seed):
        _, X, y = self.rows(seed, 12)
        wrong = WRONG_PARAMETERS[name][k % len(WRONG_PARAMETERS[name])]
        right = self.subject.get_params()[name]
        self.subject.set_params(**{name: wrong})
        for method in (self.subject.fit, self.subject.partial_fit):
            self.must_be_refused(lambda method=method: method(X, y))
        self.subject.set_params(**{name: right})

    @rule(name=st.sampled_from(sorted(PARAMETERS)), k=st.integers(0, 4))
    def set_params(self, name, k):
        value = PARAMETERS[name][k % len(PARAMETERS[name])]
        self.on_all(lambda one: one.set_params(**{name: value}) and None)

    @precondition(lambda self: self.is_fitted)
    @rule(seed=SEEDS)
    def assign_weights(self, seed):
        random = np.random.default_rng(seed)
        weights = [random.normal(size=W.shape) for W in self.subject.coefs_]
        self.on_all(lambda one: setattr(one, "coefs_", weights))
        np.testing.assert_array_equal(self.subject.coefs_[0], weights[0].astype(self.dtype))

    @precondition(lambda self: self.is_fitted)
    @rule()
    def reset_solver(self):
        self.on_all(lambda one: one.network_.reset_solver())

    @rule(seed=SEEDS)
    def fit_a_clone(self, seed):
        """A clone is not fitted; from the same data it comes to the same as any other clone."""
        _, X, y = self.rows(seed, MIN_TO_FIT)
        clones = [clone(self.subject), clone(self.subject)]
        assert not hasattr(clones[0], "network_")
        with only_warnings_of(*EXPECTED_WARNINGS):
            prints = [self.fingerprint(one.fit(X, y)) for one in clones]
        assert prints[0] == prints[1]

    # -- what must be true

    def fingerprint(self, model):
        """All that a call which fails, or only looks, must leave alone."""
        if "network_" not in model.__dict__:
            return {}
        return {
            "network": state_of(model.network_),
            "predictions": model.predict(PROBE).tolist(),
            "curve": list(model.loss_curve_),
            "counts": (model.n_iter_, model.t_),
            "features": model.n_features_in_,
            "classes": np.asarray(getattr(model, "classes_", ())).tolist(),
        }

    @invariant()
    def twins_are_the_same(self):
        if self.duplicates:
            prints = [self.fingerprint(one) for one in (self.subject, *self.duplicates)]
            assert all(one == prints[0] for one in prints[1:])

    @invariant()
    def attributes_are_of_their_types(self):
        if not self.is_fitted:
            return
        model = self.subject
        assert (type(model.n_iter_), type(model.t_)) == (int, int)
        assert (model.n_iter_, model.t_) == (self.n_iter, self.t)
        assert model.n_features_in_ == N_FEATURES
        sizes = model.network_.layer_sizes
        assert [W.shape for W in model.coefs_] == list(itertools.pairwise(sizes))
        assert [b.shape for b in model.intercepts_] == [(n,) for n in sizes[1:]]
        assert model.n_layers_ == len(sizes)
        assert all(np.isfinite(p).all() for p in (*model.coefs_, *model.intercepts_))


MACHINES = (NetworkMachine, EstimatorMachine)
QUIET = hypothesis.settings(
    database=None,
    deadline=None,
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=list(hypothesis.HealthCheck),
)


def run(machine, **settings):
    """Run a machine."""
    run_state_machine_as_test(machine, settings=hypothesis.settings(QUIET, **settings))


def check(seed):
    """Run one of the machines, a few times; a failure is reported as found, not shrunk."""
    machine = MACHINES[seed % len(MACHINES)]
    seeded = hypothesis.seed(seed)(type(machine.__name__, (machine,), {}))
    run(seeded, max_examples=4, stateful_step_count=25, phases=[hypothesis.Phase.generate])
    return machine.__name__
