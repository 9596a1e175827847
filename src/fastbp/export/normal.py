"""The normal distribution's share below z, for GELU, of nothing but products and one exp.

ONNX has the error function in float32 only in most runtimes, and C without libm has none at all.
With ``t = 3 / (x + 3)`` and ``u = 2 t - 1``, ``erfc(x) = exp(-x**2) t P(u)`` for x >= 0, where P is
a Chebyshev series, written in powers of u. Right to 2e-15 of itself in float64, and in float32 to
1e-6.
"""

from __future__ import annotations

from typing import Any

import numpy as np

SHIFT = 3.0
TERMS_OF_FLOAT64 = (
    0.3580023023627799, 0.294464817723293, 0.19674278570136922, 0.10348908730032386,
    0.039842587095670914, 0.008942411537982963, -0.0004041388740241461, -0.0010113539582515066,
    -0.00018276991352391873, 9.225900159710485e-05, 3.5853919871252056e-05, -1.0131584471275963e-05,
    -5.823845307740652e-06, 1.5801318510261362e-06, 9.225581583195114e-07, -3.280019318620714e-07,
    -1.371959654248994e-07, 7.242852114553194e-08, 1.6626422594622633e-08, -1.3181721802525464e-08,
    -1.1774915939432919e-09, 1.3448480161674057e-09,
)  # fmt: skip
TERMS_OF_FLOAT32 = (
    0.35800230503082275, 0.2944648265838623, 0.19674265384674072, 0.10348916053771973,
    0.039844099432229996, 0.008941790089011192, -0.0004107903514523059, -0.0010091414442285895,
    -0.00016928352124523371, 8.832780440570787e-05, 2.2609878215007484e-05, -6.551970272994367e-06,
)  # fmt: skip


def terms_of(dtype: np.dtype[Any]) -> tuple[float, ...]:
    """Return the coefficients of P for a dtype, from that of 1 on."""
    return TERMS_OF_FLOAT32 if dtype == np.float32 else TERMS_OF_FLOAT64
