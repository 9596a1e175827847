"""Numbers, arrays and objects that nobody should pass."""

import decimal
import fractions
import sys

import numpy as np
import pandas as pd
import scipy.sparse as sp

from .subjects import N_FEATURES, N_ROWS
from .values import misaligned, read_only

# -- index arrays ----------------------------------------------------------------------------------

INDEX_TYPES = (
    *("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *(">i4", ">i8", "float64", "object", "bool"),
)
ODD_NUMBERS = [
    *(0, 1, 2, N_FEATURES - 1, N_FEATURES, N_FEATURES + 1, N_ROWS, 1000),
    *(-1, -2, -(2**31), 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1),
    *(2**62, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 127, 128, 255, 256, -128),
]


def cast(values, dtype):
    """An array of this type, whatever becomes of numbers that it cannot hold."""
    whole = [int(v) for v in values]
    if dtype == "object":
        return np.array([*whole, None], dtype=object)[:-1]
    if dtype in ("float64", "bool"):
        return np.array(whole, dtype=dtype)
    kind = np.dtype(dtype)
    wrapped = [v % 2 ** (8 * kind.itemsize) for v in whole]
    unsigned = np.dtype(f"u{kind.itemsize}")
    return np.array(wrapped, dtype=unsigned).view(kind.newbyteorder("=")).astype(kind)


def odd_indices(random, values, dtype=None):
    """Some of the numbers replaced by odd ones, or another length, as another type."""
    values = [int(v) for v in values]
    for _ in range(random.integers(0, 4)):
        if values:
            values[random.integers(len(values))] = ODD_NUMBERS[random.integers(len(ODD_NUMBERS))]
    kind = random.random()
    if kind < 0.1:
        values = values[: random.integers(0, len(values) + 1)]
    elif kind < 0.2:
        values += values[: random.integers(0, len(values) + 1)]
    elif kind < 0.25:
        random.shuffle(values)
    array = cast(values, dtype or str(random.choice(INDEX_TYPES)))
    return odd_layout(random, array)


def odd_layout(random, array):
    """The same numbers in another memory layout, or as another kind of array."""
    layouts = [
        lambda: array,
        lambda: array,
        lambda: read_only(array),
        lambda: np.repeat(array, 2)[::2],
        lambda: array[::-1].copy()[::-1],
        lambda: misaligned(array) if array.dtype != object else array,
        lambda: array[np.newaxis],
        lambda: array.tolist(),
        lambda: np.ma.masked_array(array, mask=[i % 2 == 0 for i in range(len(array))]),
    ]
    return layouts[random.integers(len(layouts))]()


# -- in place of X ---------------------------------------------------------------------------------


class Liar:
    """Says one thing about itself, and hands over another."""

    def __init__(self, shape, arrays):
        self.shape, self.ndim, self.arrays = shape, len(shape), list(arrays)

    def __len__(self):
        return self.shape[0]

    def __array__(self, dtype=None, copy=None):
        array = self.arrays.pop(0) if len(self.arrays) > 1 else self.arrays[0]
        return np.array(array, dtype=dtype)


class Raises:
    def __array__(self, dtype=None, copy=None):
        raise ValueError("no array to be had")


def with_value(X, value, dtype):
    X = X.astype(dtype)
    X[3, 2] = value
    return X


def odd_arrays(random, X):
    """Things to pass in place of X, most of which are no numbers."""
    n, m = X.shape
    return [
        lambda: with_value(X, np.nan, "f8"),
        lambda: with_value(X, np.inf, "f4"),
        lambda: with_value(X, 1e300, "f8"),
        lambda: with_value(X, 1e300, object),
        lambda: with_value(X, 10**400, object),
        lambda: with_value(X, None, object),
        lambda: with_value(X, "x", object),
        lambda: with_value(X, 1j, object),
        lambda: with_value(X, fractions.Fraction(1, 3), object),
        lambda: with_value(X, decimal.Decimal("NaN"), object),
        lambda: with_value(X, np.ones(3), object),
        lambda: X.astype("c16"),
        lambda: X.astype("U8"),
        lambda: X.astype("S8"),
        lambda: X.astype("f2"),
        lambda: X.astype("g"),
        lambda: X.astype("M8[s]"),
        lambda: X.astype("m8[s]"),
        lambda: X.astype(">f4"),
        lambda: X.astype("i1"),
        lambda: X.astype(bool),
        lambda: np.zeros((n, m), dtype=[("a", "f8"), ("b", "f8")]),
        lambda: np.zeros((n, m), dtype="V8"),
        lambda: np.full((n, m), 2**63 - 1),
        lambda: np.full((n, m), 2**64 - 1, dtype=np.uint64),
        lambda: np.broadcast_to(X[0], (n, m)),
        lambda: np.broadcast_to(1.0, (n, m)),
        lambda: np.lib.stride_tricks.as_strided(X, (n, m), (X.strides[0], -8), writeable=False)[
            :, :1
        ],
        lambda: X[:, ::-1],
        lambda: X.T,
        lambda: X[:, :-1],
        lambda: X[:-1],
        lambda: X[:0],
        lambda: X[:, :0],
        lambda: X[np.newaxis],
        lambda: X[0],
        lambda: X[0, 0],
        lambda: np.float64(1),
        lambda: np.array([]),
        lambda: np.matrix(X),
        lambda: np.ma.masked_array(X, mask=X > 0),
        lambda: misaligned(X),
        lambda: read_only(X),
        lambda: X.tolist(),
        lambda: [*X.tolist()[:-1], [1.0]],
        lambda: memoryview(X),
        lambda: iter(X),
        lambda: {"a": 1},
        lambda: "text",
        lambda: b"bytes",
        lambda: None,
        lambda: 3,
        lambda: object,
        lambda: Raises(),
        lambda: Liar((n, m), [X[:, :2]]),
        lambda: Liar((n, m), [X, X[:3], X[:, :1], X[0]]),
        lambda: Liar((10**9, m), [X]),
        lambda: Liar((n, m), [X, X.astype(str)]),
        lambda: pd.DataFrame(X),
        lambda: pd.DataFrame(X).astype("Float64").mask(X > 1),
        lambda: pd.DataFrame(X).astype("category"),
        lambda: pd.DataFrame(X).astype(str),
        lambda: pd.DataFrame(X).assign(when=pd.Timestamp(0)),
        lambda: pd.DataFrame(X).astype(pd.SparseDtype("f8", 0.0)),
        lambda: pd.Series(X[0]),
        lambda: sp.coo_array(X[0]),
        lambda: sp.csr_array(X[:0]),
        lambda: sp.csr_array(X[:, :0]),
        lambda: sp.csr_array(X.astype("i8") * 2**62),
        lambda: sp.csr_array(np.where(X, np.inf, 0)),
        lambda: sp.csr_array(X.astype("c16")),
    ]


# -- in place of row numbers, class numbers, targets and weights -----------------------------------


def odd_numbers(random, values):
    """Row numbers, class numbers, targets or weights, some of them odd."""
    if random.random() < 0.5:
        return odd_indices(random, values)
    things = odd_arrays(random, np.tile(np.asarray(values, dtype=float)[:, np.newaxis], 4))
    thing = things[random.integers(len(things))]()
    two_dimensional = isinstance(thing, np.ndarray) and thing.ndim == 2 and thing.shape[1]
    return thing[:, 0] if two_dimensional and random.random() < 0.7 else thing


# -- in place of parameters ------------------------------------------------------------------------

ODD_VALUES = [
    *(None, True, False, 0, 1, 2, -1, 2**31, 2**32, 2**63, 2**64, -(2**63), 10**400, sys.maxsize),
    *(
        0.0,
        -0.0,
        0.5,
        1.0,
        1.5,
        5e-324,
        1e-300,
        1e300,
        1e-46,
        1e39,
        np.nan,
        np.inf,
        -np.inf,
        1 - 2**-53,
    ),
    *(
        "",
        "adam",
        "relu",
        "x",
        "squared_error",
        b"x",
        1j,
        (),
        [],
        {},
        [0.5],
        (1, 2),
        (0.5, "x"),
        [None],
    ),
    *(
        object,
        np.float32(0.25),
        np.int8(-1),
        np.uint64(2**64 - 1),
        np.array(3),
        np.array([0.5]),
        np.bool_(1),
    ),
    *(
        fractions.Fraction(1, 2),
        decimal.Decimal("0.5"),
        range(3),
        np.datetime64(0, "s"),
        "float16",
        "f4",
    ),
]
