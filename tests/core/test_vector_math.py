"""The vector exp, logistic and tanh, and the activations made of them, against mpmath.

Errors are in ulp: the distance to the exact value, in units of the spacing of the dtype's numbers
there. Every instruction set that this machine has is tested, in both dtypes.
"""

from functools import cache

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastbp._core import apply_activation, available_isas

MAX_ULP = 2.0
MAX_LENGTH = 4 * 16 + 1  # four of the longest vectors, plus one
ELEMENTWISE = ("identity", "logistic", "tanh", "relu", "exp")

isas = pytest.mark.parametrize("isa", available_isas())
dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])
functions = pytest.mark.parametrize("name", ["exp", "logistic", "tanh"])


def mp_logistic(x):
    return 1 / (1 + mpmath.exp(-x))


EXACT = {"exp": mpmath.exp, "logistic": mp_logistic, "tanh": mpmath.tanh}

# Where each function is dense enough with difficulties to be sampled for itself: its whole range,
# subnormal results, the end of the finite ones, a change of formula.
RANGES = {
    ("exp", np.float64): [(-746, 709.78), (-746, -707), (709, 709.78), (-3, 3)],
    ("exp", np.float32): [(-104, 88.72), (-104, -86), (88, 88.72), (-3, 3)],
    ("logistic", np.float64): [(-746, 45), (-746, -707), (-37.1, -36.3), (30, 42), (-3, 3)],
    ("logistic", np.float32): [(-104, 20), (-104, -86), (-17, -16.2), (14, 20), (-3, 3)],
    ("tanh", np.float64): [(-22, 22), (-2, 2), (0.5, 0.6), (-1e-3, 1e-3)],
    ("tanh", np.float32): [(-11, 11), (-2, 2), (0.5, 0.6), (-1e-3, 1e-3)],
}


def arguments(name, dtype):
    """Arguments over the whole range: dense where it matters, and every power of two."""
    rng = np.random.default_rng(0)
    info = np.finfo(dtype)
    powers = np.arange(info.minexp - info.nmant, info.maxexp)
    tiny_to_huge = np.ldexp(rng.uniform(1, 2, powers.size), powers)
    halfway = np.arange(-200, 200) * (np.log(2) / 2)  # where the reduction changes its n
    special = [0.0, info.smallest_subnormal, info.tiny, info.max, 0.55, np.log(2), 1.0, 40.0]
    x = np.concatenate(
        [rng.uniform(low, high, 1500) for low, high in RANGES[name, dtype]]
        + [tiny_to_huge, -tiny_to_huge, halfway, special, np.negative(special)]
    ).astype(dtype)
    return np.concatenate([x, np.nextafter(x[-16:], dtype(1)), np.nextafter(x[-16:], dtype(-1))])


@cache
def arguments_and_exact_values(name, dtype):
    x = arguments(name, dtype)
    if name == "exp":
        x = x[x <= np.log(np.finfo(dtype).max)]
    with mpmath.workprec(200):
        return x, [EXACT[name](bounded(v)) for v in x]


def bounded(x):
    """x as an mpmath number, cut where all three functions have long been constant."""
    return mpmath.mpf(float(np.clip(x, -2000, 2000)))


def ulp_errors(values, exact):
    """|value - exact| in units of the spacing of the values' dtype at the exact value."""
    info = np.finfo(values.dtype)
    errors = []
    with mpmath.workprec(200):
        for value, e in zip(values, exact, strict=True):
            exponent = max(mpmath.frexp(e)[1] - 1, info.minexp) if e else info.minexp
            spacing = mpmath.ldexp(1, exponent - info.nmant)
            errors.append(float(abs(mpmath.mpf(float(value)) - e) / spacing))
    return np.array(errors)


@isas
@dtypes
@functions
def test_error_is_at_most_two_ulp(name, dtype, isa):
    x, exact = arguments_and_exact_values(name, dtype)
    errors = ulp_errors(apply_activation(name, x, isa), exact)
    worst = errors.argmax()
    assert errors[worst] <= MAX_ULP, f"{errors[worst]:.2f} ulp at {name}({x[worst]!r})"


@isas
@dtypes
@functions
def test_finite_arguments_give_finite_values_in_range(name, dtype, isa):
    a = apply_activation(name, arguments(name, dtype), isa)
    low, high = {"exp": (0, np.finfo(dtype).max), "logistic": (0, 1), "tanh": (-1, 1)}[name]
    assert a.dtype == dtype
    assert np.all((low <= a) & (a <= high))


@isas
@dtypes
def test_infinities_give_the_limits(dtype, isa):
    x = np.array([-np.inf, np.inf], dtype)
    assert_array_equal(apply_activation("logistic", x, isa), [0, 1])
    assert_array_equal(apply_activation("tanh", x, isa), [-1, 1])
    smallest, largest = apply_activation("exp", x, isa)
    assert smallest == 0
    assert 0.999 * np.finfo(dtype).max < largest < np.inf  # it saturates


@isas
@dtypes
@functions
def test_exact_values(name, dtype, isa):
    at_zero = {"exp": 1, "logistic": 0.5, "tanh": 0}[name]
    assert_array_equal(apply_activation(name, np.array([0.0, -0.0], dtype), isa), at_zero)


@isas
@dtypes
def test_tanh_is_odd_to_the_bit(dtype, isa):
    x = arguments("tanh", dtype)
    positive, negative = apply_activation("tanh", x, isa), apply_activation("tanh", -x, isa)
    assert_array_equal(negative, -positive)
    assert_array_equal(np.signbit(positive), np.signbit(x))  # of zeros, too


@isas
@dtypes
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_nan_gives_nan_in_its_own_place_only(name, dtype, isa):
    z = np.linspace(-2, 2, MAX_LENGTH).astype(dtype)
    z[::3] = np.nan
    assert_array_equal(np.isnan(apply_activation(name, z, isa)), np.isnan(z))


@isas
@dtypes
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_length_gives_what_single_values_give(name, dtype, isa):
    z = np.random.default_rng(1).normal(scale=5, size=MAX_LENGTH).astype(dtype)
    single = np.concatenate([apply_activation(name, z[i : i + 1], isa) for i in range(z.size)])
    for n in range(MAX_LENGTH + 1):
        a = apply_activation(name, z[:n], isa)
        assert a.shape == (n,)
        assert_array_equal(a, single[:n])


@isas
@dtypes
def test_relu_and_identity(dtype, isa):
    z = np.array([-np.inf, -1.5, -0.0, 0.0, 2.5, np.inf, np.nan], dtype)
    assert_array_equal(apply_activation("relu", z, isa), np.maximum(z, 0))
    assert_array_equal(apply_activation("identity", z, isa), z)


def mp_softmax(z):
    """Softmax of a vector in 200 bits, rounded to float64."""
    with mpmath.workprec(200):
        top = mpmath.mpf(float(max(z)))
        e = [mpmath.exp(mpmath.mpf(float(v)) - top) for v in z]
        return np.array([float(v / mpmath.fsum(e)) for v in e])


@isas
@dtypes
@pytest.mark.parametrize("offset", [0, -300, 300])
def test_softmax_of_every_length(offset, dtype, isa):
    z = np.random.default_rng(2).normal(offset, 3, MAX_LENGTH).astype(dtype)
    for n in range(1, MAX_LENGTH + 1):
        a = apply_activation("softmax", z[:n], isa)
        assert_allclose(a, mp_softmax(z[:n]), rtol=16 * np.finfo(dtype).eps)
        assert_allclose(a.sum(dtype=np.float64), 1, rtol=8 * np.finfo(dtype).eps)


@isas
@dtypes
@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 8, 16, 17, MAX_LENGTH])
def test_softmax_of_equal_logits_is_uniform(n, dtype, isa):
    for logit in (-np.finfo(dtype).max, -1, 0, np.finfo(dtype).max):
        a = apply_activation("softmax", np.full(n, logit, dtype), isa)
        assert_allclose(a, np.full(n, 1 / max(n, 1)), rtol=np.finfo(dtype).eps)


@isas
@dtypes
@pytest.mark.parametrize("n", [2, 3, 8, 9, 16, 17, MAX_LENGTH])
def test_softmax_of_huge_logits_is_one_hot(n, dtype, isa):
    huge = np.finfo(dtype).max
    for k in (0, n // 2, n - 1):
        z = np.full(n, -huge, dtype)
        z[k] = huge
        assert_array_equal(apply_activation("softmax", z, isa), np.eye(n)[k])


@isas
@dtypes
def test_softmax_hands_a_nan_to_every_output(dtype, isa):
    for k in range(MAX_LENGTH):
        z = np.zeros(MAX_LENGTH, dtype)
        z[k] = np.nan
        assert np.isnan(apply_activation("softmax", z, isa)).all()
