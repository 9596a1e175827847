"""Networks and fitted estimators to pass odd things to, and what must come of a call."""

import functools
import pickle
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from plain_models import BackpropClassifier, BackpropRegressor

import fastbp
from fastbp import Network, neural_network

from .values import state_of

N_FEATURES, N_ROWS = 5, 30
CLEAR = (ValueError, TypeError, MemoryError)


@dataclass
class Subjects:
    """Networks and fitted estimators to pass things to, and good data for them."""

    number: Network
    classes: Network
    regressor: BackpropRegressor
    classifier: BackpropClassifier
    host_regressor: Any
    host_classifier: Any
    X: np.ndarray
    y: np.ndarray
    labels: np.ndarray


@functools.cache
def prepared():
    """The subjects as a pickle, of which each case gets its own."""
    random = np.random.default_rng(0)
    X = random.normal(size=(N_ROWS, N_FEATURES))
    X[random.random(X.shape) < 0.4] = 0
    y, labels = X[:, 0] + 0.1 * X[:, 1], np.arange(N_ROWS) % 3
    own = {"hidden_layer_sizes": 6, "max_iter": 2, "random_state": 0, "learning_rate_init": 0.01}
    host = {"hidden_layer_sizes": 6, "max_iter": 2, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pickle.dumps(
            Subjects(
                Network((N_FEATURES, 6, 1), random_state=0),
                Network((N_FEATURES, 40, 20, 3), loss="log_loss", random_state=0),
                BackpropRegressor(**own).fit(X, y),
                BackpropClassifier(**own).fit(X, labels),
                neural_network.MLPRegressor(**host).fit(X, y),
                neural_network.MLPClassifier(**host).fit(X, labels),
                X,
                y,
                labels,
            )
        )


def subjects():
    """Subjects of one's own."""
    return pickle.loads(prepared())


def refusal(call, clear=CLEAR):
    """Return the error that refuses a call, or None; raise what is no clear refusal."""
    try:
        result = call()
    except clear as error:
        refused = error
    else:
        assert_sound(result)
        return None
    assert str(refused) or isinstance(refused, MemoryError), "an error without a word"
    return refused


def assert_sound(result):
    """Hold whatever a call returned to be numbers, if it has some."""
    arrays = result if isinstance(result, tuple) else [result]
    for array in arrays:
        if isinstance(array, np.ndarray) and array.dtype.kind == "f":
            assert np.isfinite(array).all(), "a result that is not finite"


# -- where X goes --------------------------------------------------------------------------------

# name: what it is called with X and y of as many rows
NETWORK_CALLS = {
    "forward": lambda s, X: s.classes.forward(X),
    "forward in threads": lambda s, X: s.classes.forward(X, n_threads=2),
    "loss": lambda s, X: s.number.loss(X, s.y),
    "gradients": lambda s, X: s.classes.gradients(X, s.labels),
    "sensitivity": lambda s, X: s.classes.sensitivity(X),
    "summary": lambda s, X: s.classes.sensitivity(X, summary="mean_absolute"),
    "rows": lambda s, X: s.number.train_epoch(X, s.y, 0.01),
    "wide rows": lambda s, X: s.classes.train_epoch(X, s.labels, 0.01),
    "momentum": lambda s, X: s.classes.train_epoch(X, s.labels, 0.01, momentum=0.5),
    "batches": lambda s, X: s.classes.train_epoch(X, s.labels, 0.01, batch_size=8, n_threads=2),
    "Adam": lambda s, X: s.number.train_epoch(X, s.y, 0.01, solver="adam", alpha=0.1),
    "record": lambda s, X: fastbp.record(s.number, X, s.y, epochs=2, learning_rate=0.01),
    "loss sensitivity": lambda s, X: fastbp.sensitivity_of_loss(s.number, X, s.y),
    "check gradients": lambda s, X: fastbp.check_gradients(s.number, X, s.y),
}
ESTIMATOR_CALLS = {
    "fit regressor": lambda s, X: s.regressor.fit(X, s.y),
    "fit classifier": lambda s, X: s.classifier.fit(X, s.labels),
    "partial_fit regressor": lambda s, X: s.regressor.partial_fit(X, s.y),
    "partial_fit classifier": lambda s, X: s.classifier.partial_fit(X, s.labels),
    "held out": lambda s, X: s.regressor.fit(s.X, s.y, X_val=X, y_val=s.y),
    "early stopping": lambda s, X: s.classifier.set_params(early_stopping=True).fit(X, s.labels),
    "predict": lambda s, X: s.regressor.predict(X),
    "predict labels": lambda s, X: s.classifier.predict(X),
    "predict_proba": lambda s, X: s.classifier.predict_proba(X),
    "predict_log_proba": lambda s, X: s.classifier.predict_log_proba(X),
    "score": lambda s, X: s.regressor.score(X, s.y),
    "score labels": lambda s, X: s.classifier.score(X, s.labels),
    "estimator sensitivity": lambda s, X: s.classifier.sensitivity(X),
    "record fit": lambda s, X: fastbp.record(s.regressor, X, s.y),
}
HOST_CALLS = {
    "drop-in fit regressor": lambda s, X: s.host_regressor.fit(X, s.y),
    "drop-in fit classifier": lambda s, X: s.host_classifier.fit(X, s.labels),
    "drop-in partial_fit": lambda s, X: s.host_classifier.partial_fit(X, s.labels),
    "drop-in predict": lambda s, X: s.host_regressor.predict(X),
    "drop-in predict_proba": lambda s, X: s.host_classifier.predict_proba(X),
}
ONE_ROW_CALLS = {
    "one row": lambda s, x: s.classes.forward(x),
    "step": lambda s, x: s.number.step(x, 1.0, 0.01),
    "predict_one": lambda s, x: s.regressor.predict_one(x),
    "predict_one label": lambda s, x: s.classifier.predict_one(x),
    "predict_proba_one": lambda s, x: s.classifier.predict_proba_one(x),
    "trace_step": lambda s, x: fastbp.trace_step(s.number, x, 1.0, 0.01),
    "trace_step of an estimator": lambda s, x: fastbp.trace_step(s.classifier, x, 1),
}
CALLS = {**NETWORK_CALLS, **ESTIMATOR_CALLS, **HOST_CALLS}


def try_call(name, X, calls=CALLS):
    """Call it; what is refused leaves the models as they were. Returns the error, or None."""
    own = subjects()
    before = states(own)
    clear = Exception if name in HOST_CALLS else CLEAR  # scikit-learn's errors are scikit-learn's
    error = refusal(lambda: calls[name](own, X), clear)
    if error is not None:
        assert states(own) == before, f"{name} has changed the model, and then failed: {error!r}"
    return error


def states(own):
    """All of what a call that fails must leave alone."""
    networks = [own.number, own.classes, own.regressor.network_, own.classifier.network_]
    counts = [(m.n_iter_, m.t_, list(m.loss_curve_)) for m in (own.regressor, own.classifier)]
    return [state_of(network) for network in networks], counts
