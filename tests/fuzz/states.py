"""States and pickles that were tampered with: refused, or what is made of them can be used.

State dicts are tampered with here and there; pickles have bytes exchanged. A crash is for the
parent process to see; run this in a child.
"""

import copy
import io
import pickle
import warnings

import numpy as np
from cases import copy_on

import fastbp
from fastbp import Network, _core

from .odd_values import ODD_VALUES
from .subjects import refusal, subjects
from .values import draw_case, state_of

ODD_ARRAYS = [
    np.zeros(0),
    np.zeros((0, 0)),
    np.zeros(()),
    np.full((3, 3), np.nan),
    np.full(3, np.inf),
    np.zeros((5, 6), dtype=np.float16),
    np.zeros((5, 6), dtype=complex),
    np.zeros((6, 5)).T,
    np.broadcast_to(1.0, (5, 6)),
    np.zeros((5, 6), dtype=">f8"),
    np.array([[None] * 6] * 5),
    np.array([["1"] * 6] * 5),
    np.zeros((10**9, 0)),
]


# -- states ----------------------------------------------------------------------------------------


def places_in(value, path=()):
    """Every place in a nested state, as the keys that lead to it."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    if isinstance(value, (list, tuple)):
        items = enumerate(value)
    for key, item in items:
        yield from places_in(item, (*path, key))


def replaced(value, path, change):
    """The state with another value at a place; what is not on the way there is shared."""
    if not path:
        return change(value)
    key, *rest = path
    if isinstance(value, dict):
        return {k: replaced(v, rest, change) if k == key else v for k, v in value.items()}
    items = [replaced(v, rest, change) if k == key else v for k, v in enumerate(value)]
    return type(value)(items)


def tampered(random, state):
    """The state with something else in one or two places, or something missing or too much."""
    for _ in range(random.integers(1, 3)):
        places = [place for place in places_in(state) if place]
        place = places[random.integers(len(places))]
        state = replaced(state, place, lambda value: another(random, value))
        if random.random() < 0.1 and isinstance(state, dict):
            state = {k: v for k, v in state.items() if k != place[0]}
        elif random.random() < 0.1:
            state = {
                **state,
                str(random.choice(["weights", "_layers", "n_parameters", "other"])): 3,
            }
    return state


def another(random, value):
    """Something odd in place of a value, of the same kind or of another."""
    kind = random.random()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and kind < 0.5:
        cut = [
            np.atleast_1d(value)[:-1],
            value.T,
            value.ravel(),
            value.astype("f4"),
            value * np.nan,
            value[np.newaxis],
        ]
        return cut[random.integers(len(cut))]
    if isinstance(value, int) and kind < 0.5:
        return value + int(random.choice([-1, 1, 7, 10**6, -(10**6)]))
    if isinstance(value, (list, tuple)) and kind < 0.5:
        items = list(value)
        return type(value)(items[::-1] if kind < 0.2 else items[:-1] if kind < 0.4 else items * 2)
    if kind < 0.7:
        return ODD_ARRAYS[random.integers(len(ODD_ARRAYS))]
    return ODD_VALUES[random.integers(len(ODD_VALUES))]


def check_network_state(random, case):
    """`__setstate__` refuses, and leaves what was there alone, or makes a sound network."""
    state = tampered(random, case.network.__getstate__())
    other = fastbp.Network((3, 4, 2), random_state=1)
    for network, before in ((other, state_of(other)), (Network.__new__(Network), None)):
        error = refusal(lambda network=network: network.__setstate__(state))
        if error is None:
            use(network)
        elif before is not None:
            assert state_of(network) == before, f"changed, and then failed: {error!r}"
            use(network)
    return "state refused" if error is not None else "state taken"


def use(network):
    """Do with a network whatever can be done; it must answer by numbers, or refuse."""
    n_in, n_out = network.layer_sizes[0], network.layer_sizes[-1]
    if network.n_parameters > 10**6:
        return
    X, y = np.ones((40, n_in)), np.full((40, n_out), 1 / n_out)
    for parameters, size in ((network.weights, 2), (network.biases, 1)):
        assert all(p.ndim == size and p.dtype == network.dtype for p in parameters)
    calls = [
        lambda: network.forward(X),
        lambda: network.forward(X[0]),
        lambda: network.gradients(X, y),
        lambda: network.step(X[0], y[0], 1e-6),
        lambda: network.train_epoch(X, y, 1e-6),
        lambda: network.train_epoch(X, y, 1e-6, momentum=0.5, batch_size=7),
        lambda: network.train_epoch(X, y, 1e-6, solver="adam"),
        lambda: network.train_epoch(X, y, 1e-6, dropout=0.5),
        lambda: network.sensitivity(X),
        lambda: copy.deepcopy(network).forward(X),
        lambda: pickle.loads(pickle.dumps(network)).forward(X),
        lambda: repr(network),
    ]
    for call in calls:
        refusal(call)
    assert network.n_parameters == sum(p.size for p in [*network.weights, *network.biases])


# -- pickles ---------------------------------------------------------------------------------------


class Unpickler(pickle.Unpickler):
    """Loads only what an untouched pickle of ours names, so that no other code can be run."""

    allowed = ("fastbp.", "numpy.", "sklearn.", "scipy.sparse")

    def find_class(self, module, name):
        ours = (module + ".").startswith(self.allowed) or module in ("collections", "copyreg")
        if ours and "." not in name:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not for us")


def exchanged(random, data):
    """The pickle with some of its bytes exchanged, cut off or repeated."""
    data = bytearray(data)
    for _ in range(random.integers(1, 5)):
        at = int(random.integers(len(data)))
        data[at] = (
            (data[at] ^ (1 << int(random.integers(8))))
            if random.integers(2)
            else int(random.integers(256))
        )
    if random.random() < 0.1:
        at, n = (int(v) for v in random.integers(1, 40, 2))
        del data[at : at + n]
    return bytes(data)


def check_pickle(random, case):
    """A damaged pickle fails, whichever way, or makes something that fails or answers."""
    own = subjects()
    whole = [case.network, own.classifier, own.regressor, own.host_classifier]
    whole = whole[random.integers(len(whole))]
    protocol = int(random.integers(2, pickle.HIGHEST_PROTOCOL + 1))
    damaged = exchanged(random, pickle.dumps(whole, protocol))
    try:
        made = Unpickler(io.BytesIO(damaged)).load()
    except Exception:
        return "pickle refused"
    for call in (
        lambda: use(made) if isinstance(made, Network) else made.predict(own.X),
        lambda: made.partial_fit(own.X, own.labels),
        lambda: pickle.dumps(made),
    ):
        try:
            call()
        except Exception:
            continue
    return "pickle taken"


def check_estimator_state(random, case):
    """An estimator's state may be refused late, but by an error."""
    own = subjects()
    model = own.classifier if random.integers(2) else own.regressor
    state = tampered(random, model.__getstate__())
    made = type(model).__new__(type(model))
    for call in (
        lambda: made.__setstate__(state),
        lambda: made.predict(own.X),
        lambda: made.predict_one(own.X[0]),
        lambda: made.partial_fit(own.X, own.labels),
        lambda: made.partial_fit(own.X[:1], own.labels[:1]),
        lambda: pickle.dumps(made),
        lambda: made.fit(own.X, own.labels) if short(made) else None,
    ):
        try:
            call()
        except Exception:
            continue
    return "estimator used"


def short(model):
    """Whether its parameters do not ask for hours."""
    numbers = [getattr(model, name, 1) for name in ("max_iter", "n_init", "ensemble")]
    return all(isinstance(n, int) and n < 100 for n in numbers) and model.hidden_layer_sizes == 6


def check(seed):
    """Tamper with something; load and use it."""
    random = np.random.default_rng(seed)
    case = draw_case(random, max_rows=20)
    case.network = copy_on(str(random.choice(_core.available_isas())), case.network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if random.integers(2):
            case.network.train_epoch(case.X, case.y, 1e-6, momentum=0.5)
            case.network.train_epoch(case.X, case.y, 1e-6, solver="adam")
        checks = (check_network_state, check_network_state, check_pickle, check_estimator_state)
        return checks[random.integers(len(checks))](random, case)
