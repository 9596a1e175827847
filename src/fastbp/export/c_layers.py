"""Templates of C: what a layer does to a row, and predictions made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# f(z) of one unit, and the functions that it calls: csrc/tables/activations.h, lane by lane.
UNITS = {
    "logistic": ("logistic", "@logistic(z)"),
    "tanh": ("tanh", "@tanh(z)"),
    "relu": ("", "0 > z ? 0 : z"),
    "exp": ("exp min", "@exp(@min(K(<LARGEST>), z))"),
    "leaky_relu": ("max", "@max(K(0.01) * z, z)"),
    "elu": ("expm1_below", "z > 0 ? z : @expm1_below(z)"),
    "selu": (
        "expm1_below",
        "z > 0 ? K(1.0507009873554804934) * z : K(1.7580993408473768599) * @expm1_below(z)",
    ),
    "softplus": ("max log1p exp abs", "@max(0, z) + @log1p(@exp(0 - @abs(z)))"),
    "silu": ("logistic", "z * @logistic(z)"),
    "gelu": ("normal", "z * @normal(z)"),
    "mish": ("tanh_of_softplus", "z * @tanh_of_softplus(z)"),
}
SOFTMAX = """
static void @activate_softmax(real *values, int n) {
    real top = values[0], sum = 0;
    for (int k = 1; k < n; k++) top = values[k] > top ? values[k] : top;
    for (int k = 0; k < n; k++) {
        values[k] = @exp(values[k] - top);
        sum = sum + values[k];
    }
    const real scale = 1 / sum;
    for (int k = 0; k < n; k++) values[k] = values[k] * scale;
}"""
DENSE = """
/* z = W a + b, W of shape (n_out, n_in) */
static void @dense(real *z, const real *W, const real *b, const real *a, int n_in, int n_out) {
    for (int j = 0; j < n_out; j++) {
        real sum = b[j];
        for (int i = 0; i < n_in; i++) sum += W[j * n_in + i] * a[i];
        z[j] = sum;
    }
}"""
SCALE_LINEAR = """
/* inputs without their own units */
static void @scale(real *a, const real *x, const real *center, const real *factor, int n) {
    for (int i = 0; i < n; i++) a[i] = (x[i] - center[i]) * factor[i];
}"""
SCALE_BOUNDED = """
/* inputs without their own units: t / sqrt(1 + (t / limit)^2), t = (x - center) factor */
static void @scale(real *a, const real *x, const real *center, const real *factor, int n) {
    const real inverse_limit = K(<INVERSE_LIMIT>), most = K(1e9);
    for (int i = 0; i < n; i++) {
        const real t = (x[i] - center[i]) * factor[i];
        const real share = @max(@min(t * inverse_limit, most), -most);
        a[i] = share / (inverse_limit * @sqrt(share * share + 1));
    }
}"""
SCALE_RUNNING = """
/* inputs by their means and deviations; 0 where one is missing (NaN), 1 where a constant is not */
static void @scale_running(real *a, const real *x, const real *center, const real *factor,
                           const real *bound, int n) {
    for (int i = 0; i < n; i++) {
        const real t = (x[i] - center[i]) * factor[i];
        if (x[i] != x[i]) a[i] = 0;
        else if (factor[i] == 0) a[i] = x[i] != 0 ? 1 : 0;
        else a[i] = t > bound[i] ? bound[i] : t < -bound[i] ? -bound[i] : t;
    }
}"""
MIX = """
/* sum += share values */
static void @mix(real *sum, const real *values, real share, int n) {
    for (int k = 0; k < n; k++) sum[k] = sum[k] + share * values[k];
}"""
FILL = """
/* means in place of inputs that are missing (NaN) */
static void @fill(real *a, const real *x, const real *means, int n) {
    for (int i = 0; i < n; i++) a[i] = x[i] == x[i] ? x[i] : means[i];
}"""
MARK = """
/* 1 for each of these inputs that is missing, else 0 */
static void @mark(real *marks, const real *x, const int *inputs, int n) {
    for (int k = 0; k < n; k++) marks[k] = x[inputs[k]] == x[inputs[k]] ? 0 : 1;
}"""
UNSCALE = """
/* outputs in the units of the targets */
static void @unscale(real *values, const real *center, const real *scale, int n) {
    for (int k = 0; k < n; k++) values[k] = values[k] * scale[k] + center[k];
}"""


def layer_functions(dtype: np.dtype[Any], limit: float | None = None) -> dict[str, tuple[str, str]]:
    """Return templates of activations, layers and scaling; see `c_math.functions_for`."""
    largest = np.nextafter(dtype.type(np.log(np.finfo(dtype).max)), dtype.type(0))
    functions = {
        f"activate_{name}": (callees, _loop(name, unit.replace("<LARGEST>", repr(float(largest)))))
        for name, (callees, unit) in UNITS.items()
    }
    functions["activate_softmax"] = ("exp", SOFTMAX)
    functions["dense"] = ("", DENSE)
    functions |= {"unscale": ("", UNSCALE), "fill": ("", FILL), "mark": ("", MARK)}
    functions |= {"scale_running": ("", SCALE_RUNNING), "mix": ("", MIX)}
    functions["scale"] = ("", SCALE_LINEAR)
    if limit is not None and np.isfinite(limit):
        bounded = SCALE_BOUNDED.replace("<INVERSE_LIMIT>", repr(1 / limit))
        functions["scale"] = ("min max sqrt", bounded)
    return functions


def _loop(name: str, unit: str) -> str:
    return f"""
static void @activate_{name}(real *values, int n) {{
    for (int k = 0; k < n; k++) {{
        const real z = values[k];
        values[k] = {unit};
    }}
}}"""


def prediction_functions(task: str, n_out: int) -> Mapping[str, tuple[str, str]]:
    """Return the public functions beside ``outputs``: name to (declaration, definition)."""
    if task == "numbers":
        return {}
    if task == "labels":
        head = "void @labels(const real *x, unsigned char *labels)"
        return {
            "the probability of each label": _probabilities_alike(),
            "1 for each label that the row has, and 0 for the others": (
                head,
                f"""{head} {{
    real outputs[%NAME%_N_OUTPUTS];
    @outputs(x, outputs);
    for (int k = 0; k < {n_out}; k++) labels[k] = (unsigned char)(outputs[k] > K(0.5));
}}""",
            ),
        }
    return {
        "the probability of each class": _probabilities_of_two()
        if n_out == 1
        else _probabilities_alike(),
        "the number of the most probable class, one of enum @class_number": _class(n_out),
    }


def _probabilities_alike() -> tuple[str, str]:
    head = "void @probabilities(const real *x, real *probabilities)"
    return head, f"{head} {{ @outputs(x, probabilities); }}"


def _probabilities_of_two() -> tuple[str, str]:
    head = "void @probabilities(const real *x, real *probabilities)"
    return (
        head,
        f"""{head} {{
    @outputs(x, probabilities + 1);
    probabilities[0] = 1 - probabilities[1];
}}""",
    )


def _class(n_out: int) -> tuple[str, str]:
    head = "int @class(const real *x)"
    if n_out == 1:
        return (
            head,
            f"""{head} {{
    real outputs[1];
    @outputs(x, outputs);
    return outputs[0] > K(0.5);
}}""",
        )
    return (
        head,
        f"""{head} {{
    real outputs[%NAME%_N_OUTPUTS];
    int most = 0;
    @outputs(x, outputs);
    for (int k = 1; k < {n_out}; k++)
        if (outputs[k] > outputs[most]) most = k;
    return most;
}}""",
    )
