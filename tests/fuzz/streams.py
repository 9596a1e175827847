"""Models of streams: random rows as a loop and as tables, growth, copies, damaged states.

A crash is for the parent process to see; run this in a child.
"""

import copy
import pickle
import warnings

import numpy as np

from fastbp.online import OnlineClassifier, OnlineRegressor

from .states import tampered

REFUSED = (ValueError, TypeError, KeyError, AttributeError, IndexError, AssertionError)
REFUSED += (OverflowError, RuntimeError, MemoryError)
TEXTS = ["", "red", "green", "1", "ü", "None"]


def options_of(random):
    """Parameters of a model."""
    options = {
        "random_state": int(random.integers(5)),
        "missing": "mean",
        "hidden_layer_sizes": [(), (3,), (5, 4), (70,)][random.integers(4)],
        "activation": str(random.choice(["relu", "tanh", "gelu"])),
        "buffer_size": int(random.choice([0, 1, 25, 200])),
        "buffer": str(random.choice(["last", "sample", "both"])),
    }
    if random.random() < 0.5:
        solvers = ["sgd", "adam", "adamw", "adagrad", "rmsprop"]
        options |= {"solver": str(random.choice(solvers)), "alpha": float(random.choice([0, 0.1]))}
        options["replay"] = int(random.integers(3))
    if random.random() < 0.3:
        options["max_features"] = 12
    elif random.random() < 0.3:
        options["hashed_features"] = int(random.choice([2, 5, 50]))
    return options


def value_of(random):
    """A value of a row."""
    kind = random.integers(6)
    if kind == 0:
        return str(random.choice(TEXTS))
    if kind == 1:
        return bool(random.integers(2))
    if kind == 2:
        return float(random.choice([0.0, 1e-300, 1e300, -1e16, 5e-324]))
    return float(random.normal()) * float(random.choice([1, 1, 1e6]))


def rows_of(random, n):
    """Rows of up to ten names out of many."""
    names = [f"x{i}" for i in range(random.integers(1, 30))]
    for _ in range(n):
        chosen = random.choice(names, random.integers(0, min(10, len(names)) + 1), replace=False)
        yield {str(name): value_of(random) for name in chosen}


def draw(random):
    """A new model, rows and their targets."""
    n = int(random.integers(1, 120))
    rows = list(rows_of(random, n))
    if random.random() < 0.5:
        labels = [f"label {i}" for i in range(random.integers(1, 12))]
        return OnlineClassifier(**options_of(random)), rows, random.choice(labels, n).tolist()
    loss = str(random.choice(["huber", "squared_error", "poisson", "quantile"]))
    model = OnlineRegressor(loss=loss, **options_of(random))
    targets = np.abs(random.normal(size=n)) * random.choice([1, 1, 1e12])
    return model, rows, targets.tolist()


def draw_exportable(random):
    """Draw until there is a model with inputs and two classes, whose rows share no input.

    Return it as it has learned its rows, these, and these as exported models see them.
    """
    while True:
        model, rows, y = draw(random)
        for x, target in zip(rows, y, strict=True):
            model.learn_one(x, target)
        if model.n_features_ and len(getattr(model, "classes_", "two")) > 1:
            try:
                return model, rows, model.exported_rows(rows)
            except ValueError:
                if not model.hashed_features:
                    raise


def answers(model, rows):
    """What a model predicts; all of it is finite."""
    if isinstance(model, OnlineClassifier):
        found = [list(model.predict_proba_one(x).values()) for x in rows]
    else:
        found = [[model.predict_one(x)] for x in rows]
    assert all(np.isfinite(one).all() for one in found), "predictions are not finite"
    return found


def check(seed):
    """Check one case; return what kind it was."""
    random = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, rows, y = draw(random)
        if random.random() < 0.3:
            return check_damaged(random, model, rows, y)
        return check_forms(random, model, rows, y)


def check_forms(random, model, rows, y):
    """A loop, tables and copies in between give the same bits."""
    many = copy.deepcopy(model)
    for x, target in zip(rows, y, strict=True):
        model.learn_one(x, target)
        if random.random() < 0.05:
            model = pickle.loads(pickle.dumps(model))
    start = 0
    while start < len(rows):
        stop = start + int(random.integers(1, 60))
        many.learn_many(rows[start:stop], y[start:stop])
        start = stop
    assert answers(model, rows) == answers(many, rows), "a loop and tables differ"
    assert pickle.dumps(model.__getstate__()) is not None
    return type(model).__name__


def check_damaged(random, model, rows, y):
    """A damaged state is refused, or makes a model that can be used."""
    for x, target in zip(rows, y, strict=True):
        model.learn_one(x, target)
    state = tampered(random, copy.deepcopy(model.__getstate__()))
    state["_state_of_loop"] = tampered_tuple(random, state.get("_state_of_loop"))
    expected = answers(model, rows[:5])
    other = type(model).__new__(type(model))
    try:
        other.__setstate__(state)
        other.learn_many(rows[:20], y[:20])
        for x in rows[:20]:
            other.predict_one(x)
            other.learn_one(x, y[0])
        pickle.loads(pickle.dumps(other))
        found = "damaged state, used"
    except REFUSED:
        found = "damaged state, refused"
    assert answers(model, rows[:5]) == expected
    return found


def tampered_tuple(random, value):
    """The state of the loop, with something else in one of its arrays now and then."""
    if random.random() < 0.5 or not isinstance(value, tuple) or len(value) != 3:
        return value
    past = dict(value[2]) if isinstance(value[2], dict) else value[2]
    if isinstance(past, dict) and past:
        name = sorted(past)[random.integers(len(past))]
        array = np.array(past[name])
        kind = random.integers(3)
        if array.size and kind == 0:
            array.flat[random.integers(array.size)] = random.choice([-1, 2**30, 7])
        elif kind == 1:
            array = array[:-1] if array.ndim else array
        past[name] = array
    return (*value[:2], past)
