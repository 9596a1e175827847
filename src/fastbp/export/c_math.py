"""Templates of C: what activations are made of, by libm or without it.

Without libm they are the scalar forms of ``csrc/kernels/vector_math.inc.h``, to the bit: at most 2
units in the last place from the exact value. That file has the formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .normal import SHIFT, terms_of

OF_FLOAT32 = {
    "BITS": "uint32_t", "SHIFT": "23", "ROUND": "0x1.8p23f", "BIAS": "127", "N_TERMS": "5",
    "LN2_HIGH": "0x1.62e4p-1f", "LN2_LOW": "0x1.7f7d1cp-20f", "LOG2_E": "0x1.715476p+0f",
    "OVERFLOW": "0x1.62e42ep+6f", "UNDERFLOW": "104", "MAX_POWER": "100",
    "EXPM1": "0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.123a20p-7f, 0x1.6a23d6p-10f",
    "TANH": "-0x1.55554ap-2f, 0x1.110d18p-3f, -0x1.b92618p-5f, 0x1.5927f8p-6f, -0x1.9ab1ccp-8f",
    "ATANH": "0x1.555556p-2f, 0x1.999998p-3f, 0x1.249324p-3f, 0x1.c67adap-4f, 0x1.8c8c12p-4f",
    "POLYNOMIAL": "((c[4] * x2 + (c[3] * x + c[2])) * x2 + (c[1] * x + c[0]))",
}  # fmt: skip
OF_FLOAT64 = {
    "BITS": "uint64_t", "SHIFT": "52", "ROUND": "0x1.8p52", "BIAS": "1023", "N_TERMS": "10",
    "LN2_HIGH": "0x1.62e42fefa38p-1", "LN2_LOW": "0x1.ef35793c7673p-45",
    "LOG2_E": "0x1.71547652b82fep+0", "OVERFLOW": "0x1.62e42fefa39efp+9", "UNDERFLOW": "746",
    "MAX_POWER": "1000",
    "EXPM1":
        "0x1.000000000000bp-1, 0x1.5555555555518p-3, 0x1.5555555550063p-5, 0x1.111111111e554p-7,\n"
        "    0x1.6c16c185eef29p-10, 0x1.a01a0166e2283p-13, 0x1.a019953a598b7p-16,\n"
        "    0x1.71de89a382beap-19, 0x1.28b1eeb548351p-22, 0x1.ae94e332e1977p-26",
    "TANH":
        "-0x1.5555555555497p-2, 0x1.111111110223bp-3, -0x1.ba1ba1ad1876fp-5,\n"
        "    0x1.664f45b22b327p-6, -0x1.226ddb8554464p-7, 0x1.d6c5e47f8461cp-9,\n"
        "    -0x1.7cf1833b60d12p-10, 0x1.2f9531dbadd4dp-11, -0x1.b8b1b7a05b8d3p-13,\n"
        "    0x1.ab0b47571cc64p-15",
    "ATANH":
        "0x1.5555555555555p-2, 0x1.999999999999ap-3, 0x1.2492492492486p-3, 0x1.c71c71c71f255p-4,\n"
        "    0x1.745d17437e31ap-4, 0x1.3b13b261100c9p-4, 0x1.1110b8d10b6bbp-4,\n"
        "    0x1.e2029616bb132p-5, 0x1.ab83e04a47f78p-5, 0x1.bedb01af0c1fep-5",
    "POLYNOMIAL":
        "(((c[9] * x + c[8]) * x4 + ((c[7] * x + c[6]) * x2 + (c[5] * x + c[4]))) * x4\n"
        "            + ((c[3] * x + c[2]) * x2 + (c[1] * x + c[0])))",
}  # fmt: skip

# Names of what each calls, and its text; <WORD> is of the dtype.
ALWAYS = {
    "min": ("", "static real @min(real a, real b) { return a < b ? a : b; }"),
    "max": ("", "static real @max(real a, real b) { return a > b ? a : b; }"),
    "abs": ("", "static real @abs(real a) { return a < 0 ? -a : a; }"),
    "tanh_of_softplus": (
        "exp min",
        """
/* tanh(log(1 + e^z)) = n / (n + 2), n = e^z (e^z + 2); from z = 20 on it is 1 */
static real @tanh_of_softplus(real z) {
    const real e = @exp(@min(20, z)), n = e * (e + 2);
    return n / (n + 2);
}""",
    ),
}
WITHOUT_LIBM = {
    "pow2": (
        "",
        """
/* 2^n, n whole and within the exponents of normal numbers */
static real @pow2(real n) {
    union { real value; <BITS> bits; } u;
    u.value = n + (<ROUND> + <BIAS>); /* ends in n + <BIAS> */
    u.bits <<= <SHIFT>;
    return u.value;
}""",
    ),
    "pow2_in_two": (
        "pow2 min max",
        """
/* 2^n = power rest, where n may lie beyond the exponents */
static real @pow2_in_two(real n, real *rest) {
    const real within = @max(-<MAX_POWER>, @min(<MAX_POWER>, n));
    *rest = @pow2(n - within);
    return @pow2(within);
}""",
    ),
    "polynomial": (
        "",
        """
static real @polynomial(real x, const real *c) {
    const real x2 = x * x<X4>;
    return <POLYNOMIAL>;
}""",
    ),
    "expm1_reduced": (
        "polynomial",
        """
/* p = high + rest and n of e^y = 2^n (1 + p) */
static real @expm1_reduced(real y, real *n, real *rest) {
    static const real terms[<N_TERMS>] = {
    <EXPM1>
    };
    *n = (y * <LOG2_E> + <ROUND>) - <ROUND>; /* to the nearest whole number */
    const real high = y - *n * <LN2_HIGH>, low = *n * -<LN2_LOW>, r = high + low;
    *rest = r * r * @polynomial(r, terms) + low;
    return high;
}""",
    ),
    "exp": (
        "expm1_reduced pow2_in_two min max",
        """
/* e^x; past the last finite value it stays there */
static real @exp(real x) {
    real n, low, rest;
    const real y = @max(-<UNDERFLOW>, @min(<OVERFLOW>, x));
    const real high = @expm1_reduced(y, &n, &low), power = @pow2_in_two(n, &rest);
    return (power * (high + low) + power) * rest;
}""",
    ),
    "logistic": (
        "expm1_reduced pow2_in_two min max",
        """
/* 1 / (1 + e^-x) */
static real @logistic(real x) {
    real n, low, rest;
    const real y = @max(-40, @min(<UNDERFLOW>, 0 - x)), high = @expm1_reduced(y, &n, &low);
    const real power = @pow2_in_two(0 - n, &rest), sum = 1 + power, lost = power - (sum - 1);
    return power / (sum + ((high + lost) + low)) * rest;
}""",
    ),
    "tanh": (
        "expm1_reduced pow2 polynomial min abs",
        """
static real @tanh(real x) {
    static const real terms[<N_TERMS>] = {
    <TANH>
    };
    real n, low, size = @abs(x);
    const real high = @expm1_reduced(@min(40, size + size), &n, &low), scale = @pow2(0 - n);
    const real sum = ((1 + scale) + high) + low, x2 = size * size;
    if (size - K(0.55) > 0) size = 1 - 2 * (scale / sum);
    else size = size * (x2 * @polynomial(x2, terms)) + size;
    return x < 0 ? -size : size;
}""",
    ),
    "log1p": (
        "polynomial",
        """
/* log(1 + x) for 0 <= x <= 1: m 2^n = 1 + x with m about 1 */
static real @log1p(real x) {
    static const real terms[<N_TERMS>] = {
    <ATANH>
    };
    const real m = 1 + x;
    const int halved = m - K(1.4142135623730951) > 0;
    const real rest = halved ? K(0.5) * m - 1 : x, n = halved ? 1 : 0;
    const real s = rest / (2 + rest), s2 = s * s, atanh = s * s2 * @polynomial(s2, terms) + s;
    return n * K(0.69314718055994531) + (atanh + atanh);
}""",
    ),
    "expm1_below": (
        "tanh min",
        """
/* e^z - 1 of z < 0, and 0 above */
static real @expm1_below(real z) {
    const real t = @tanh(K(0.5) * @min(0, z));
    return (t + t) / (1 - t);
}""",
    ),
    "normal": (
        "exp abs",
        """
/* the normal distribution's share below z: a Chebyshev series in powers of u */
static real @normal(real z) {
    static const real terms[<N_NORMAL>] = {
    <NORMAL>
    };
    const real x = @abs(z) * K(0.70710678118654752), shift = K(<NORMAL_SHIFT>);
    const real t = shift / (x + shift), u = (t + t) - 1;
    real total = terms[<N_NORMAL> - 1];
    for (int k = <N_NORMAL> - 2; k >= 0; k--) total = total * u + terms[k];
    const real tail = K(0.5) * @exp(-(x * x)) * (t * total);
    return z < 0 ? tail : 1 - tail;
}""",
    ),
    "sqrt": (
        "",
        """
/* the root of x >= 0: half of the exponent, then the steps of Newton */
static real @sqrt(real x) {
    union { real value; <BITS> bits; } u;
    if (!(x > 0)) return x;
    u.value = x;
    u.bits = (u.bits >> 1) + ((<BITS>)<BIAS> << (<SHIFT> - 1));
    for (int k = 0; k < <ROOT_STEPS>; k++) u.value = K(0.5) * (u.value + x / u.value);
    return u.value;
}""",
    ),
}
WITH_LIBM = {
    name: ("", f"static real @{name}(real x) {{ return {name}<F>(x); }}")
    for name in ("exp", "tanh", "log1p", "sqrt")
} | {
    "logistic": ("exp", "static real @logistic(real x) { return 1 / (1 + @exp(-x)); }"),
    "expm1_below": (
        "",
        "/* e^z - 1 of z < 0, and 0 above */\n"
        "static real @expm1_below(real z) { return z < 0 ? expm1<F>(z) : 0; }",
    ),
    "normal": (
        "",
        "/* the normal distribution's share below z */\n"
        "static real @normal(real z) { return K(0.5) * erfc<F>(K(-0.70710678118654752) * z); }",
    ),
}
# Of libm where the kernels take it, too: bits are the same.
WHERE_KERNELS_TAKE_LIBM = {
    "sqrt": WITH_LIBM["sqrt"],
    "normal": (
        "",
        "/* the normal distribution's share below z */\n"
        "static real @normal(real z) {\n"
        "    return (real)(0.5 * erfc(-0.70710678118654752 * (double)z));\n"
        "}",
    ),
}


def functions_for(
    dtype: np.dtype[Any], *, libm: bool, as_kernels: bool
) -> Mapping[str, tuple[str, str]]:
    """Return templates of all functions, by libm, or as the kernels have them.

    Parameters
    ----------
    dtype : dtype
        float32 or float64.
    libm : bool
        Whether anything of libm may be called.
    as_kernels : bool
        Whether bits have to be those of the kernels.
    """
    chosen = ALWAYS | WITHOUT_LIBM
    if libm:
        chosen = chosen | (WHERE_KERNELS_TAKE_LIBM if as_kernels else WITH_LIBM)
    single = dtype == np.float32
    words = dict(OF_FLOAT32 if single else OF_FLOAT64)
    terms = terms_of(dtype)
    words |= {
        "F": "f" if single else "",
        "X4": "" if single else ", x4 = x2 * x2",
        "ROOT_STEPS": "4" if single else "5",
        "N_NORMAL": str(len(terms)),
        "NORMAL": ",\n    ".join(f"K({term!r})" for term in terms),
        "NORMAL_SHIFT": repr(SHIFT),
    }
    return {name: (callees, _with_words(text, words)) for name, (callees, text) in chosen.items()}


def _with_words(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"<{word}>", value)
    return text
