"""Input that nobody should pass: each piece is refused by a clear error, or taken and used rightly.

A crash is for the parent process to see; run this in a child.
"""

import numpy as np

import fastbp
from fastbp import Network

from .odd_sparse import describe, odd_csr, odd_of_another_format, what_it_says
from .odd_values import ODD_VALUES, odd_arrays, odd_numbers
from .subjects import (
    CALLS,
    CLEAR,
    N_FEATURES,
    N_ROWS,
    ONE_ROW_CALLS,
    refusal,
    states,
    subjects,
    try_call,
)
from .values import state_of

# -- in place of X ---------------------------------------------------------------------------------


def check_csr(random, own):
    matrix = odd_csr(random, own.X)
    meant = what_it_says(matrix)
    error = try_call(str(random.choice(list(CALLS))), matrix)
    if meant is None or meant.shape != own.X.shape:
        forward = refusal(lambda: own.classes.forward(matrix))
        if meant is None:
            assert forward is not None, f"a damaged matrix was taken: {describe(matrix)}"
    elif refusal(lambda: own.classes.forward(matrix)) is None:
        np.testing.assert_allclose(
            own.classes.forward(matrix), own.classes.forward(meant), rtol=1e-9
        )
    return "CSR refused" if error is not None else "CSR taken"


def check_other_sparse(random, own):
    matrix = odd_of_another_format(random, own.X)
    error = try_call(str(random.choice(list(CALLS))), matrix)
    return "sparse refused" if error is not None else "sparse taken"


def check_array(random, own):
    things = odd_arrays(random, own.X)
    thing = things[random.integers(len(things))]()
    error = try_call(str(random.choice(list(CALLS))), thing)
    return "array refused" if error is not None else "array taken"


def check_one_row(random, own):
    things = odd_arrays(random, own.X)
    thing = things[random.integers(len(things))]()
    if (
        isinstance(thing, np.ndarray)
        and thing.ndim == 2
        and len(thing) > 3
        and random.random() < 0.7
    ):
        thing = thing[3]
    error = try_call(str(random.choice(list(ONE_ROW_CALLS))), thing, ONE_ROW_CALLS)
    return "row refused" if error is not None else "row taken"


# -- what goes with X ------------------------------------------------------------------------------


BESIDE_CALLS = {
    "order": lambda s, v: s.classes.train_epoch(s.X, s.labels, 0.01, order=v),
    "order of batches": lambda s, v: s.classes.train_epoch(s.X, s.labels, 0.01, v, batch_size=4),
    "order in registers": lambda s, v: s.number.train_epoch(s.X, s.y, 0.01, order=v),
    "class numbers": lambda s, v: s.classes.train_epoch(s.X, v, 0.01),
    "few class numbers": lambda s, v: s.classes.loss(s.X, v),
    "targets": lambda s, v: s.number.train_epoch(s.X, v, 0.01),
    "target of a step": lambda s, v: s.classes.step(s.X[0], v, 0.01),
    "weights": lambda s, v: s.number.train_epoch(s.X, s.y, 0.01, sample_weight=v),
    "weights of batches": lambda s, v: s.number.train_epoch(
        s.X, s.y, 0.01, batch_size=7, sample_weight=v
    ),
    "weights of a loss": lambda s, v: s.classes.gradients(s.X, s.labels, sample_weight=v),
    "labels": lambda s, v: s.classifier.fit(s.X, v),
    "labels of partial_fit": lambda s, v: s.classifier.partial_fit(s.X, v),
    "classes": lambda s, v: s.classifier.partial_fit(s.X, s.labels, classes=v),
    "targets of fit": lambda s, v: s.regressor.fit(s.X, v),
    "targets held out": lambda s, v: s.regressor.fit(s.X, s.y, X_val=s.X, y_val=v),
    "weights of fit": lambda s, v: s.classifier.fit(s.X, s.labels, sample_weight=v),
    "weights of partial_fit": lambda s, v: s.regressor.partial_fit(s.X, s.y, sample_weight=v),
    "weights of score": lambda s, v: s.regressor.score(s.X, s.y, sample_weight=v),
    "layer of weights": lambda s, v: s.number.weights.__setitem__(0, v),
    "weights assigned": lambda s, v: setattr(s.classes, "weights", v),
    "biases assigned": lambda s, v: setattr(s.classifier, "intercepts_", v),
    "layer sizes": lambda s, v: Network(v),
}
LEFT_TO_SCIKIT_LEARN = {"weights of score"}


def check_beside(random, own):
    name = str(random.choice(list(BESIDE_CALLS)))
    values = odd_numbers(random, random.permutation(N_ROWS) if "order" in name else own.labels)
    own = subjects()
    before = states(own)
    clear = Exception if name in LEFT_TO_SCIKIT_LEARN else CLEAR
    error = refusal(lambda: BESIDE_CALLS[name](own, values), clear)
    if error is not None:
        assert states(own) == before, f"{name} has changed the model, and then failed: {error!r}"
    return f"{name.split()[0]} refused" if error is not None else f"{name.split()[0]} taken"


# -- parameters ------------------------------------------------------------------------------------

TRAINING = (
    *("learning_rate", "momentum", "nesterov", "alpha", "batch_size", "solver"),
    *("beta_1", "beta_2", "epsilon", "dropout", "dropout_seed", "n_threads"),
)
NETWORK = (
    *("activation", "out_activation", "loss", "huber_delta", "quantile", "dtype"),
    "random_state",
)
# Left out: how long training may go on, and what only asks for time or memory.
LONG = {"max_iter", "n_iter_no_change", "n_init", "hidden_layer_sizes", "verbose"}


def of_training(random, own, value):
    """An odd option of an epoch."""
    name = str(random.choice(TRAINING))
    options = {"learning_rate": 0.01, **({"solver": "adam"} if random.random() < 0.4 else {})}
    before = state_of(own.classes)
    error = refusal(lambda: own.classes.train_epoch(own.X, own.labels, **{**options, name: value}))
    assert error is None or state_of(own.classes) == before
    own.classes.forward(own.X)
    return error


def of_networks(random, own, value):
    """An odd network."""
    sizes, options = [N_FEATURES, 4, 1], {}
    if random.integers(2):
        sizes[random.integers(3)] = value
    else:
        options[str(random.choice(NETWORK))] = value
    return refusal(lambda: used(Network(sizes, **options), own))


def used(network, own):
    """What a network that was made of something odd answers."""
    network.train_epoch(own.X, np.abs(own.y) % 1, 1e-3)
    return network.copy().forward(own.X)


def of_estimators(random, own, value):
    """An odd parameter of an estimator."""
    model, y = [(own.regressor, own.y), (own.classifier, own.labels)][random.integers(2)]
    name = str(random.choice(sorted(set(model.get_params()) - LONG)))
    right, before = model.get_params()[name], states(own)
    model.set_params(**{name: value})
    method = model.fit if random.integers(2) else model.partial_fit
    error = refusal(lambda: method(own.X, y))
    if error is not None:
        assert states(own) == before
        model.set_params(**{name: right})
    model.predict(own.X)
    return error


# name: a call with an odd argument
ARGUMENTS = {
    "n_threads": lambda s, v: s.classes.forward(s.X, v),
    "summary": lambda s, v: s.classes.sensitivity(s.X, summary=v),
    "rate": lambda s, v: s.number.step(s.X[0], 1.0, v),
    "plan": lambda s, v: s.number.plan(v),
    "every": lambda s, v: fastbp.record(s.number, s.X, s.y, every=v, learning_rate=0.1),
    "n_probe": lambda s, v: fastbp.record(s.number, s.X, s.y, n_probe=v, learning_rate=0.1),
    "snapshot": lambda s, v: fastbp.record(s.number, s.X, s.y, learning_rate=0.1).trace(v),
    "probe": lambda s, v: fastbp.check_gradients(s.number, s.X, s.y, v),
    "layer": lambda s, v: fastbp.trace_step(s.number, s.X[0], 1.0, 0.1).factors(v, 0, 0),
    "unit": lambda s, v: fastbp.trace_step(s.number, s.X[0], 1.0, 0.1).factors(1, v, v),
}


def of_calls(random, own, value):
    """An odd argument of a call."""
    call = ARGUMENTS[str(random.choice(list(ARGUMENTS)))]
    return refusal(lambda: call(own, value), (*CLEAR, IndexError))


def check_parameter(random, own):
    """Something odd in place of a parameter."""
    kinds = (of_training, of_networks, of_estimators, of_calls)
    value = ODD_VALUES[random.integers(len(ODD_VALUES))]
    error = kinds[random.integers(len(kinds))](random, own, value)
    return "parameter refused" if error is not None else "parameter taken"


CHECKS = (
    check_csr,
    check_csr,
    check_other_sparse,
    check_array,
    check_one_row,
    check_beside,
    check_parameter,
)


def check(seed):
    """Pass something odd to something."""
    random = np.random.default_rng(seed)
    return CHECKS[random.integers(len(CHECKS))](random, subjects())
