"""Held-out rows: which they are, what is noted of them, when they end training, what is kept."""

import math
import pickle
import re
import signal
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
from plain_models import BackpropClassifier, BackpropRegressor
from scipy.sparse import csr_array
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, mean_pinball_loss, r2_score
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_class_weight

import fastbp
from fastbp.estimators.holdout import held_out_rows
from fastbp.training.order import canonical_order

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def regression(n_rows=200, n_outputs=1, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n_rows, 4))
    y = np.sin(X @ random.normal(size=(4, n_outputs))) + 0.3 * random.normal(
        size=(n_rows, n_outputs)
    )
    return X, y.ravel() if n_outputs == 1 else y


def classification(n_rows=240, names=("ape", "bee", "cat"), seed=0):
    random = np.random.default_rng(seed)
    numbers = random.integers(0, len(names), n_rows)
    X = random.normal(size=(len(names), 4))[numbers] + random.normal(size=(n_rows, 4))
    return X, np.array(names)[numbers]


def regressor(**options):
    small = {"hidden_layer_sizes": 8, "learning_rate_init": 0.05, "random_state": 0}
    return BackpropRegressor(**{**small, "max_iter": 40, **options})


def classifier(**options):
    small = {"hidden_layer_sizes": 8, "learning_rate_init": 0.05, "random_state": 0}
    return BackpropClassifier(**{**small, "max_iter": 40, **options})


def bits(model):
    return model.network_._arena.values.tobytes()


def curve_by_hand(model, X, y, X_val, y_val):
    """The same fit epoch by epoch with a warm start; score and loss of X_val after each."""
    reference = type(model)(**{**model.get_params(), "warm_start": True, "max_iter": 1})
    reference.set_params(early_stopping=False)
    scores, losses, states = [], [], []
    for _ in range(model.n_iter_):
        reference.fit(X, y)
        scores.append(reference.score(X_val, y_val))
        targets = y_val
        if hasattr(reference, "classes_"):
            targets = np.searchsorted(reference.classes_, y_val)
        losses.append(reference.network_.loss(X_val, targets))
        states.append(bits(reference))
    return scores, losses, states


# -- what is noted, and what is kept -------------------------------------------------------------


@pytest.mark.parametrize("kind", ["regressor", "classifier", "two classes"])
def test_scores_and_losses_are_those_of_the_model_after_each_epoch_and_the_best_is_kept(kind):
    data = {
        "regressor": regression(),
        "classifier": classification(),
        "two classes": classification(names=("no", "yes")),
    }
    X, X_val, y, y_val = train_test_split(*data[kind], test_size=0.3, random_state=0)
    model = regressor() if kind == "regressor" else classifier()
    model.set_params(early_stopping=True, n_iter_no_change=3, learning_rate_init=0.1)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    scores, losses, states = curve_by_hand(model, X, y, X_val, y_val)
    assert model.validation_scores_ == pytest.approx(scores, rel=1e-9)
    assert model.validation_loss_curve_ == pytest.approx(losses, rel=1e-9)
    assert model.best_validation_score_ == max(model.validation_scores_)
    best = int(np.argmax(model.validation_scores_))
    assert bits(model) == states[best]
    assert best < len(states) - 1
    assert model.score(X_val, y_val) == pytest.approx(model.best_validation_score_, rel=1e-9)
    assert len(model.loss_curve_) == len(model.validation_scores_) == model.n_iter_ < 40


@pytest.mark.parametrize("solver", [{"momentum": 0.9}, {"solver": "adam"}], ids=str)
def test_the_best_weights_go_on_without_what_the_solver_knew_of_later_ones(solver):
    X, y = regression()
    model = regressor(early_stopping=True, n_iter_no_change=3, batch_size=16, **solver).fit(X, y)
    assert np.argmax(model.validation_scores_) < len(model.validation_scores_) - 1
    network = fastbp.Network((4, 8, 1), random_state=0)
    network.weights, network.biases = model.coefs_, model.intercepts_
    network.train_epoch(X, y, 0.05, batch_size=16, nesterov="momentum" in solver, **solver)
    model.set_params(early_stopping=False, shuffle=False).partial_fit(X, y)
    for W, expected in zip(model.coefs_, network.weights, strict=True):
        np.testing.assert_allclose(W, expected, rtol=1e-12)


def test_training_ends_after_too_many_epochs_without_a_better_score():
    X, y = classification()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = classifier(early_stopping=True, n_iter_no_change=4, tol=0.02, max_iter=500)
        model.fit(X, y)
    best, without = -math.inf, []
    for score in model.validation_scores_:
        without.append(0 if score >= best + 0.02 else (without[-1] if without else 0) + 1)
        best = max(best, score)
    assert without[-1] == 5
    assert max(without[:-1]) <= 4


def test_held_out_rows_given_without_early_stopping_are_only_looked_at():
    X, y = regression()
    X_val, y_val = regression(50, seed=1)
    model, plain = regressor().fit(X, y, X_val=X_val, y_val=y_val), regressor().fit(X, y)
    assert bits(model) == bits(plain)
    assert model.loss_curve_ == plain.loss_curve_
    assert len(model.validation_loss_curve_) == len(model.validation_scores_) == model.n_iter_
    assert model.validation_scores_[-1] == pytest.approx(model.score(X_val, y_val))


def test_without_held_out_rows_there_is_nothing_to_show():
    model = regressor(max_iter=2).fit(*regression())
    assert model.validation_scores_ is None
    assert model.validation_loss_curve_ is None
    assert model.best_validation_score_ is None


# -- which rows are held out ---------------------------------------------------------------------


def test_the_share_is_that_of_every_class():
    classes = np.repeat([0, 1, 2], [200, 100, 20])
    held_out = held_out_rows(np.arange(320), 0.1, 0, None, classes)
    assert np.bincount(classes[held_out]).tolist() == [20, 10, 2]
    assert np.array_equal(held_out, np.sort(held_out))
    assert len(held_out_rows(np.arange(320), 0.25, 0, None, None)) == 80


def test_rows_without_weight_are_not_held_out():
    weights = np.repeat([0.0, 1.0], 100)
    held_out = held_out_rows(np.arange(200), 0.2, 0, weights, None)
    assert len(held_out) == 20
    assert held_out.min() >= 100


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_training_sees_the_other_rows_only(weighted, sparse):
    """The same rows as an explicit validation set: the same model."""
    X, y = regression()
    weights = np.random.default_rng(1).integers(0, 3, 200) if weighted else None
    options = {"early_stopping": True, "shuffle": False, "max_iter": 7}
    model = regressor(**options).fit(csr_array(X) if sparse else X, y, weights)
    held_out = held_out_rows(np.arange(200), 0.1, model._seed, weights, None)
    left = np.setdiff1d(np.arange(200), held_out)
    w = (None, None) if weights is None else (weights[left], weights[held_out])
    by_hand = regressor(**options).fit(
        X[left], y[left], w[0], X_val=X[held_out], y_val=y[held_out], sample_weight_val=w[1]
    )
    assert by_hand.validation_scores_ == pytest.approx(model.validation_scores_, rel=1e-7)
    assert by_hand.loss_curve_ == pytest.approx(model.loss_curve_, rel=1e-7)
    n_samples = 180 if weights is None else weights[left].sum()
    assert model.t_ == n_samples * model.n_iter_


def test_neither_the_order_of_the_table_nor_another_run_changes_them():
    X, y = classification()
    model = classifier(early_stopping=True).fit(X, y)
    moved = np.random.default_rng(0).permutation(len(X))
    other = classifier(early_stopping=True).fit(X[moved], y[moved])
    assert bits(model) == bits(other)
    assert model.validation_scores_ == other.validation_scores_
    another = classifier(early_stopping=True, random_state=1).fit(X, y)
    assert another.validation_scores_ != model.validation_scores_


def test_early_stopping_draws_the_same_weights_as_training_without():
    X, y = regression()
    drawn = regressor(max_iter=1, learning_rate_init=1e-300)
    plain = bits(drawn.fit(X, y))
    assert bits(drawn.set_params(early_stopping=True).fit(X, y)) == plain


@pytest.mark.parametrize("names", [("no", "yes"), ("ape", "bee", "cat"), (3, 1, 2)])
@pytest.mark.parametrize("form", [np.asarray, pd.Series, pd.Categorical, list])
def test_labels_of_any_kind(form, names):
    X, y = classification(names=names)
    model = classifier(early_stopping=True).fit(X, form(y))
    assert model.classes_.tolist() == sorted(names)
    assert model.best_validation_score_ > 0.5
    assert set(model.predict(X)) <= set(names)


def test_several_labels_and_several_outputs():
    X, y = regression(n_outputs=3)
    X_val, y_val = regression(60, n_outputs=3, seed=1)
    model = regressor(early_stopping=True).fit(X, y, X_val=X_val, y_val=y_val)
    assert model.best_validation_score_ == pytest.approx(r2_score(y_val, model.predict(X_val)))
    assert regressor(early_stopping=True).fit(X, y).best_validation_score_ <= 1
    labels, labels_val = (y > 0).astype(int), (y_val > 0).astype(int)
    model = classifier(early_stopping=True).fit(X, labels, X_val=X_val, y_val=labels_val)
    assert model.best_validation_score_ == model.score(X_val, labels_val)
    assert classifier(early_stopping=True).fit(X, labels).validation_scores_


def test_weights_of_held_out_rows_count_in_loss_and_score():
    X, y = classification(names=("no", "yes"))
    X_val, y_val = classification(80, names=("no", "yes"), seed=1)
    weights = np.random.default_rng(0).uniform(0, 2, 80)
    model = classifier(early_stopping=True)
    model.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weights)
    assert model.best_validation_score_ == pytest.approx(model.score(X_val, y_val, weights))
    best = int(np.argmax(model.validation_scores_))
    expected = log_loss(y_val == "yes", model.predict_proba(X_val), sample_weight=weights)
    assert model.validation_loss_curve_[best] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("class_weight", ["balanced", {"no": 1, "yes": 3.5}])
def test_weights_of_classes_count_in_the_score(class_weight):
    X, y = classification(names=("no", "yes"))
    y[:100] = "no"
    X_val, y_val = classification(80, names=("no", "yes"), seed=1)
    model = classifier(early_stopping=True, class_weight=class_weight)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    classes = np.array(["no", "yes"])
    factors = compute_class_weight(class_weight, classes=classes, y=y_val)
    weights = factors[np.searchsorted(classes, y_val)]
    assert model.best_validation_score_ == pytest.approx(model.score(X_val, y_val, weights))


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile", "poisson"])
def test_other_losses_are_judged_by_themselves(loss):
    X, y = regression()
    X_val, y_val = regression(80, seed=1)
    if loss == "poisson":
        y, y_val = np.exp(y), np.exp(y_val)
    model = regressor(early_stopping=True, loss=loss, quantile=0.9)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    assert model.validation_scores_ == [-loss for loss in model.validation_loss_curve_]
    if loss == "quantile":
        expected = mean_pinball_loss(y_val, model.predict(X_val), alpha=0.9)
        assert -model.best_validation_score_ == pytest.approx(expected, rel=1e-9)


# -- in company ----------------------------------------------------------------------------------


def test_several_initialisations_are_compared_by_their_best_score():
    X, y = regression(120)
    model = regressor(early_stopping=True, n_init=4, hidden_layer_sizes=4).fit(X, y)
    scores = []
    for k in range(4):
        alone = regressor(early_stopping=True, n_init=k + 1, hidden_layer_sizes=4).fit(X, y)
        scores.append(alone.best_validation_score_)
    assert scores == sorted(scores)
    assert model.best_validation_score_ == scores[-1]
    assert len(model.init_losses_) == 4


def test_a_warm_start_holds_out_the_same_rows_and_never_ends_worse():
    X, y = classification()
    model = classifier(early_stopping=True, warm_start=True, max_iter=5).fit(X, y)
    scores = list(model.validation_scores_)
    best = model.best_validation_score_
    model.set_params(learning_rate_init=2.0, max_iter=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    assert model.validation_scores_[: len(scores)] == scores
    numbers = np.searchsorted(model.classes_, y)
    order = canonical_order(model.network_._rows(X, numbers))
    held_out = held_out_rows(order, 0.1, model._seed, None, numbers)
    assert model.score(X[held_out], y[held_out]) >= best


def test_partial_fit_refuses_it_as_scikit_learn_does():
    X, y = regression()
    model = regressor(early_stopping=True).fit(X, y)
    before = bits(model)
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        model.partial_fit(X, y)
    assert bits(model) == before
    model.set_params(early_stopping=False).partial_fit(X, y)
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        model.set_params(early_stopping=True).partial_fit(X[:1], y[:1])


def test_sensitivities_and_traces_of_a_model_that_stopped_early():
    X, y = regression()
    model = regressor(early_stopping=True).fit(X, y)
    assert fastbp.sensitivity_of_loss(model, X, y).loss > 0
    assert fastbp.trace_step(model, X[0], y[0]).loss >= 0


def test_recording_changes_nothing_and_ends_where_training_ended():
    X, y = regression()
    options = {"early_stopping": True, "n_iter_no_change": 3, "learning_rate_init": 0.1}
    model, other = regressor(**options), regressor(**options).fit(X, y)
    recording = fastbp.record(model, X, y)
    assert bits(model) == bits(other)
    assert recording.epoch_losses == other.loss_curve_
    assert len(recording) > 2


def test_a_pickled_model_keeps_its_curves():
    X, y = classification()
    model = classifier(early_stopping=True).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert again.validation_scores_ == model.validation_scores_
    assert again.validation_loss_curve_ == model.validation_loss_curve_
    assert again.best_validation_score_ == model.best_validation_score_


def test_verbose_says_what_the_held_out_rows_show(capsys):
    X, y = regression()
    model = regressor(early_stopping=True, verbose=True, n_iter_no_change=2, tol=0.1).fit(X, y)
    *lines, last = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_
    pattern = r"Epoch \d+ of \d+, loss = [\d.]+, validation loss = [\d.]+, score = -?[\d.]+"
    assert all(re.fullmatch(pattern, line) for line in lines)
    assert last == model.convergence_


def test_running_out_of_epochs_speaks_of_the_score():
    with pytest.warns(ConvergenceWarning, match="the validation score still improved"):
        regressor(early_stopping=True, max_iter=2).fit(*regression())


def test_ctrl_c_keeps_the_best_weights_so_far():
    X, y = regression(3000)
    model = regressor(early_stopping=True, max_iter=10**7, n_iter_no_change=10**7, tol=0)
    timer = threading.Timer(0.5, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, X_val=X[:300], y_val=y[:300])
    assert model.score(X[:300], y[:300]) == pytest.approx(model.best_validation_score_)


def test_real_data_are_learnt_as_well_with_fewer_epochs():
    X, X_test, y, y_test = train_test_split(*load_digits(return_X_y=True), random_state=0)
    options = {"hidden_layer_sizes": 32, "learning_rate_init": 0.03, "random_state": 0}
    plain = BackpropClassifier(**options).fit(X / 16, y)
    early = BackpropClassifier(early_stopping=True, **options).fit(X / 16, y)
    assert early.n_iter_ < plain.n_iter_
    assert early.score(X_test / 16, y_test) > 0.95


# -- what cannot be ------------------------------------------------------------------------------

X, Y = classification()
FRAME = pd.DataFrame(X, columns=list("abcd"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X_val": X}, "Pass X_val and y_val together"),
        ({"y_val": Y}, "Pass X_val and y_val together"),
        ({"sample_weight_val": np.ones(240)}, "Pass X_val and y_val together"),
        (
            {"X_val": X[:, :3], "y_val": Y},
            "X_val has 3 features, but BackpropClassifier is expecting 4",
        ),
        ({"X_val": X[:9], "y_val": Y}, "X_val or y_val: .*inconsistent numbers of samples"),
        ({"X_val": X, "y_val": np.where(Y == "bee", "elk", Y)}, "y_val contains classes .*'elk'"),
        ({"X_val": X, "y_val": (X > 0).astype(int)}, "y_val has shape .* does not go with y"),
        ({"X_val": np.full_like(X, np.nan), "y_val": Y}, "X_val .*NaN"),
        ({"X_val": X[:, 0], "y_val": Y}, "X_val: Expected 2D array"),
        ({"X_val": X, "y_val": [None] * 240}, "y_val"),
        (
            {"X_val": X, "y_val": Y, "sample_weight_val": np.zeros(240)},
            "Every sample_weight_val is zero",
        ),
        (
            {"X_val": X, "y_val": Y, "sample_weight_val": np.ones(3)},
            "sample_weight_val has shape",
        ),
    ],
)
def test_held_out_rows_that_cannot_be_used(given, message):
    model = classifier(max_iter=2).fit(X, Y)
    before = bits(model)
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y, **given)
    assert bits(model) == before
    with pytest.raises(ValueError, match=message):
        classifier(max_iter=2).fit(X, Y, **given)


def test_names_of_features_must_agree():
    with pytest.raises(ValueError, match="X_val: The feature names should match"):
        classifier().fit(FRAME, Y, X_val=FRAME[list("dcba")], y_val=Y)
    model = classifier(max_iter=2).fit(FRAME, Y, X_val=FRAME, y_val=Y)
    assert model.feature_names_in_.tolist() == list("abcd")


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (slice(0, 2), {}, "validation_fraction=0.1 of 2 rows"),
        (slice(0, 60), {"validation_fraction": 0.01}, "validation_fraction=0.01 of 60 rows"),
        (slice(None), {"validation_fraction": 0}, "validation_fraction must be greater than 0"),
        (slice(None), {"validation_fraction": 1.0}, "greater than 0 and below 1; got 1.0"),
        (slice(None), {"early_stopping": "yes"}, 'early_stopping must be "auto", or True or False'),
    ],
)
def test_too_few_rows_and_shares_that_cannot_be(rows, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        classifier(**{"early_stopping": True, **options}).fit(X[rows], Y[rows])


def test_a_class_of_one_row_is_named():
    labels = Y.copy()
    labels[0] = "gnu"
    with pytest.raises(ValueError, match=r"least populated class.*pass them to fit as X_val"):
        classifier(early_stopping=True).fit(X, labels)


def test_r2_needs_two_rows():
    data = regression(8)
    with pytest.raises(ValueError, match="at least two"):
        regressor(early_stopping=True).fit(*data)
