"""Files of models that were tampered with: refused by a sentence, or a model that can be used.

Bytes are exchanged and cut off, headers and descriptions changed, and values of every kind put in
the place of others. A crash is for the parent process to see; run this in a child.
"""

import contextlib
import functools
import json
import tracemalloc
import warnings

import numpy as np
from scipy.sparse import csr_array

import fastbp
from fastbp import BackpropClassifier, BackpropRegressor, Network
from fastbp.io.container import UnreadableFileError, read_tensors, write_tensors
from fastbp.io.models import model_of, network_in, tree_of
from fastbp.io.tree import KEY, pack, unpack
from fastbp.online import OnlineClassifier, OnlineRegressor
from fastbp.online.model import OnlineModel
from fastbp.recording import Recording

from .odd_values import ODD_VALUES
from .states import ODD_ARRAYS, places_in, replaced, tampered

A_SEED = 20  # files
MEMORY, TIMES = 200_000, 50  # bytes, and times the size of a file: see `docs/model_files.md`
N_FEATURES, N_ROWS = 3, 12
REFUSED = (UnreadableFileError, MemoryError)
# What a loaded model may say when it is used: its parameters may be such that it cannot be trained.
IN_USE = (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError, MemoryError)
IN_USE += (RuntimeError, AssertionError)
ODD_NUMBERS = [-1, 0, 1, 2, 7, 255, 2**31 - 1, 2**31, 2**53, 2**63, 2**64, 10**30, -(2**63)]
ODD_NUMBERS += [0.5, -0.0, 5e-324, 1e308, float("nan"), float("inf")]
ODD_JSON = [
    None, True, "", "x" * 1000, "$array", [], {}, [[]], {"$array": "none"}, {"$array": ["a"]},
    {"$tuple": {}}, {"$int": "0x"}, {"$int": "-0x1"}, {"$float": "nan"}, {"$float": "1"},
    {"$dict": [[1, 2], [1, 2]]}, {"$dict": [[[], 1]]}, {"$objects": [[10**9], []]},
    {"$scalar": ["<f8", "0000000000000000"]}, {"$scalar": ["<U1", "00001100"]}, {"$bytes": 1},
]  # fmt: skip


@functools.cache
def table():
    """Rows, numbers and labels to train on."""
    random = np.random.default_rng(0)
    X = random.normal(size=(N_ROWS, N_FEATURES))
    return X, X[:, 0] - X[:, 1], np.array(["a", "b", "c"])[np.arange(N_ROWS) % 3]


def streamed(model, targets):
    for row, target in zip(table()[0], targets, strict=True):
        model.learn_one({"u": float(row[0]), 7: float(row[1]), "t": "xyz"[int(row[2] > 0)]}, target)
    return model


def networks():
    """Networks of both dtypes, with what their solvers keep."""
    X, y, _ = table()
    for options in ({"dtype": "float32"}, {"loss": "huber"}):
        network = Network((N_FEATURES, 3, 1), random_state=0, **options)
        network.train_epoch(X, y, 0.01, solver="adam")
        yield network


def estimators():
    """Fitted estimators that hold all kinds of things."""
    X, y, labels = table()
    own = {"hidden_layer_sizes": 3, "max_iter": 2, "random_state": 0, "ensemble": 1}
    yield BackpropClassifier(**own).fit(X, labels)
    yield BackpropClassifier(**own).partial_fit(X, y > 0, classes=[False, True])
    yield BackpropRegressor(**own, missing="indicator").fit(np.where(X > 1, np.nan, X), y)
    yield BackpropRegressor(**own).partial_fit(X, np.stack([y, y], axis=1))
    sparse = csr_array(np.where(X > 0, X, 0))
    yield BackpropRegressor(**own, momentum=0.5).partial_fit(sparse, y)


@functools.cache
def files():
    """The files that are tampered with, as trees and as bytes."""
    X, y, labels = table()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = {"hidden_layer_sizes": (3,), "buffer_size": 5, "random_state": 0}
        models = [
            *networks(),
            *estimators(),
            streamed(OnlineClassifier(**small), labels.tolist()),
            streamed(OnlineRegressor(**small, solver="adam", replay=2), y.tolist()),
            streamed(OnlineRegressor(**small, hashed_features=6), [{"v": 1.0, "w": n} for n in y]),
            fastbp.record(Network((N_FEATURES, 2, 1)), X, y, learning_rate=0.1, max_snapshots=4),
        ]
    return [(tree_of(model), bytes(pack(tree_of(model)))) for model in models]


# -- tampering -------------------------------------------------------------------------------------


def cut_off(random, tree, file):
    """A file that ends early, or goes on for too long."""
    if random.random() < 0.1:
        return file + file[: random.integers(1, 100)]
    return file[: random.integers(len(file))]


def exchanged(random, tree, file):
    """A file with some other bytes, in its header or anywhere."""
    data = bytearray(file)
    end = len(data) if random.integers(2) else 8 + int.from_bytes(data[:8], "little")
    for _ in range(random.integers(1, 4)):
        place = int(random.integers(end))
        digits = b'0123456789-"[]{},:.eE\\' if random.integers(2) else bytes(range(256))
        data[place] = digits[random.integers(len(digits))]
    return bytes(data)


def with_other_header(random, tree, file):
    """A file whose header says other things about its arrays."""
    length = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + length])
    names = [name for name in header if name != "__metadata__"]
    for _ in range(random.integers(1, 3)):
        entry = header[names[random.integers(len(names))]]
        field = ("dtype", "shape", "data_offsets")[random.integers(3)]
        kind = random.random()
        if kind < 0.3:
            entry[field] = header[names[random.integers(len(names))]][field]
        elif kind < 0.6 and isinstance(entry[field], list) and entry[field]:
            entry[field][random.integers(len(entry[field]))] = odd_number(random)
        elif kind < 0.8:
            entry["dtype"] = str(random.choice(["F64", "F32", "U8", "I64", "BOOL", "BF16", "F16"]))
        else:
            entry[field] = ODD_JSON[random.integers(len(ODD_JSON))]
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + file[8 + length :]


def with_other_description(random, tree, file):
    """A file with something odd in its description, which no tree may have."""
    tensors, metadata = read_tensors(file)
    content = json.loads(metadata[KEY])
    for _ in range(random.integers(1, 3)):
        places = [place for place in places_in(content) if place]
        place, kind = places[random.integers(len(places))], random.random()
        odd = ODD_JSON[random.integers(len(ODD_JSON))]
        if kind < 0.3:
            odd = odd_number(random)
        elif kind < 0.4:
            for _ in range(random.integers(1, 200)):
                odd = [odd] if random.integers(2) else {"$tuple": [odd]}
        content = replaced(content, place, lambda value, odd=odd: odd)
    return bytes(write_tensors(tensors, {KEY: json.dumps(content)}))


def with_other_values(random, tree, file):
    """A file of a tree with other values."""
    if random.integers(2):
        tree = tampered(random, tree)
    else:
        places = [place for place in places_in(tree) if place]
        place = places[random.integers(len(places))]
        tree = replaced(tree, place, lambda value: another(random, value))
    try:
        return bytes(pack(tree))
    except (TypeError, ValueError, AttributeError):  # no tree any more
        return file


def another(random, value):
    """Something else of the same kind."""
    if isinstance(value, np.ndarray) and value.size:
        array = value.copy()
        odd = odd_number(random)
        with np.errstate(all="ignore"):
            try:
                array.reshape(-1)[random.integers(array.size)] = odd
            except (OverflowError, ValueError):
                array = array[:-1]
        return array
    if isinstance(value, (int, float)) and random.random() < 0.8:
        odd = odd_number(random)
        return odd if isinstance(odd, type(value)) else type(value)(value + 1)
    odd = [*ODD_ARRAYS[:5], *ODD_VALUES[:20]]
    return odd[random.integers(len(odd))]


def odd_number(random):
    return ODD_NUMBERS[random.integers(len(ODD_NUMBERS))]


TAMPERING = (
    cut_off,
    exchanged,
    exchanged,
    with_other_header,
    with_other_description,
    with_other_description,
    with_other_values,
    with_other_values,
    with_other_values,
)


# -- what comes of it ------------------------------------------------------------------------------


def use(model):
    """Do with a model whatever can be done; some of it may be refused."""
    if isinstance(model, Recording):
        calls = [model.to_dict, lambda: model.trace(0)]
    elif isinstance(model, OnlineModel):
        calls = calls_of_stream(model)
    elif isinstance(model, Network):
        rows = np.ones((3, model.layer_sizes[0]), model.dtype)
        target = np.full((3, model.layer_sizes[-1]), 0.5)
        calls = [lambda: model.forward(rows), lambda: model.train_epoch(rows, target, 1e-6)]
    else:
        calls = calls_of_estimator(model)
    for call in [*calls, lambda: repr(model)]:
        try:
            call()
        except IN_USE:
            continue


def calls_of_stream(model):
    row = {"u": 1.0, 7: 2.0, "t": "x", "new": 3.0}
    yield lambda: model.predict_one(row)
    yield lambda: model.predict_many([row, {"u": 2.0}])
    if all(one.kind.replay < 100 for one in getattr(model, "_experts", Nothing).all):
        target = "a" if isinstance(model, OnlineClassifier) else {"v": 1.0, "w": 2.0}
        for one in (target, 1.0):
            yield lambda one=one: model.learn_one(row, one)
        yield lambda: model.predict_one(row)


def calls_of_estimator(model):
    rows = np.ones((3, model.n_features_in_))
    target = np.ones((3, model.n_outputs_)) if model.n_outputs_ > 1 else np.ones(3)
    if hasattr(model, "classes_"):
        target = model.classes_[:1].repeat(3)
    return [
        lambda: model.predict(rows),
        lambda: model.predict_one(rows[0]),
        lambda: model.partial_fit(rows[:1], target[:1]),
        lambda: model.partial_fit(rows, target),
        lambda: model.convergence_,
        lambda: model.history_,
    ]


class Nothing:
    """The networks of a model that has learned nothing."""

    all = ()


def check_file(random):
    """Tamper with a file, load it, and use what comes of it."""
    own = files()
    tree, file = own[random.integers(len(own))]
    data = TAMPERING[random.integers(len(TAMPERING))](random, tree, file)
    model = loaded(data) if random.random() < 0.95 else loaded_in_little_memory(data)
    if model is None:
        return "refused"
    if random.random() < 0.3:
        use(model)
        with contextlib.suppress(ValueError):  # of the row, if not of the file
            network_in(unpack(data)).forward(np.ones((1, 1)))
    return "taken"


def loaded(data):
    """The model of a file, or None if a sentence refuses it."""
    try:
        return model_of(unpack(bytearray(data)))
    except REFUSED as error:
        assert_sentence(error)
        return None


def loaded_in_little_memory(data):
    """The same; it may take some times the size of the file."""
    tracemalloc.start()
    try:
        model = loaded(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEMORY + TIMES * len(data), f"{peak:,} bytes for a file of {len(data):,}"
    return model


def assert_sentence(error):
    if not isinstance(error, MemoryError):
        text = str(error)
        assert text.startswith("it "), text
        assert "\n" not in text, text
        assert len(text) < 700, text


def check(seed):
    """Tamper with some files."""
    random = np.random.default_rng(seed)
    was = {check_file(random) for _ in range(A_SEED)}
    return "files refused" if was == {"refused"} else "files refused and taken"
