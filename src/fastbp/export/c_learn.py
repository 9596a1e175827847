"""Templates of C: a training step on one row, with the sums of the scalar kernels in their order.

That order is what bits depend on. Sums over the inputs of a layer are those of `forward_columns`
and `dot` in ``csrc/kernels/layer.inc.h``, with vectors of one lane; where ReLU leaves many units at
0 the kernels list the others, and only these are summed up (`Layers` in ``_core/layers.pyx``).
"""

from __future__ import annotations

from ..network.tables import is_of_z
from .description import Description, Layer

MIN_OUTPUTS_TO_LIST, MIN_UNITS_TO_LIST, MAX_OUTPUTS_ACROSS = 4, 64, 16

# f'(z) times delta, and the functions that it calls; a is f(z).
SLOPES = {
    "identity": ("", ""),
    "logistic": ("", "delta[k] = delta[k] * (a * (1 - a));"),
    "tanh": ("", "delta[k] = delta[k] * (1 - a * a);"),
    "relu": ("", "delta[k] = a > 0 ? delta[k] : 0;"),
    "leaky_relu": ("", "delta[k] = a > 0 ? delta[k] : K(0.01) * delta[k];"),
    "elu": ("", "delta[k] = a > 0 ? delta[k] : delta[k] * a + delta[k];"),
    "selu": (
        "",
        "delta[k] = a > 0 ? K(1.0507009873554804934) * delta[k]\n"
        "                         : delta[k] * (a + K(1.7580993408473768599));",
    ),
    "softplus": ("logistic", "delta[k] = delta[k] * @logistic(a);"),
    "silu": (
        "logistic",
        "delta[k] = delta[k] * (@logistic(a) * (a * @logistic(0 - a) + 1));",
    ),
    "gelu": (
        "normal exp",
        "const real density = K(0.39894228040143268) * @exp(K(-0.5) * (a * a));\n"
        "        delta[k] = delta[k] * (a * density + @normal(a));",
    ),
    "mish": (
        "exp min logistic",
        "const real y = @min(20, a), e = @exp(y), n = e * (e + 2), rest = 2 / (n + 2);\n"
        "        const real slope = rest * rest * (n + 1) * (y * @logistic(y));\n"
        "        delta[k] = delta[k] * ((1 - rest) + slope);",
    ),
}
FORWARD = """
/* z = b + a W, W of shape (n_in, n_out); of a listed layer below, units at 0 are left out */
static void @forward(real *z, const real *W, const real *b, const real *a, int n_in, int n_out,
<INDENT>int listed) {
    int n = n_in;
    for (int i = 0; listed && i < n_in; i++) n -= a[i] <= 0;
    for (int j = 0; j < n_out; j++) {
        const int rest = n_out - j / 8 * 8, single = n_out == 1 && !listed;
        const int n_sums = single ? 4 : rest > 4 ? 1 : rest > 2 ? 2 : 4;
        const int whole = n / n_sums * n_sums;
        real sums[4] = {0, 0, 0, 0};
        int p = 0;
        for (int i = 0; i < n_in; i++) {
            if (listed && a[i] <= 0) continue;
            const int u = p < whole ? p % n_sums : 0;
            sums[u] = a[i] * W[i * n_out + j] + sums[u];
            p++;
        }
        if (single) sums[0] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        else
            for (int u = 1; u < n_sums; u++) sums[0] = sums[0] + sums[u];
        z[j] = sums[0] + b[j];
    }
}"""
DELTA_BELOW = """
/* below = W delta */
static void @delta_below(real *below, const real *W, const real *delta, int n_in, int n_out) {
    for (int i = 0; i < n_in; i++) {
        real even = 0, odd = 0;
        for (int j = 0; j < n_out; j++) {
            const real w = W[i * n_out + j];
            if (n_out > 4 && j % 2) odd = w * delta[j] + odd;
            else even = w * delta[j] + even;
        }
        below[i] = even + odd;
    }
}"""
STEP_SGD = """
/* W and b along outer(a, delta) */
static void @step(real *W, real *b, const real *a, const real *delta, int n_in, int n_out,
<INDENT>int listed, real learning_rate) {
    const real rate = -learning_rate;
    for (int i = 0; i < n_in; i++) {
        if (a[i] == 0 || (listed && a[i] <= 0)) continue;
        for (int j = 0; j < n_out; j++) {
            real *w = W + i * n_out + j;
            if (n_out == 1 && !listed) *w = rate * delta[j] * a[i] + *w;
            else *w = rate * a[i] * delta[j] + *w;
        }
    }
    for (int j = 0; j < n_out; j++) b[j] = rate * delta[j] + b[j];
}"""
STEP_ADAGRAD = """
/* w -= learning_rate g / (sqrt(s) + epsilon), s += g^2 */
static void @move(real *w, real *s, real g, real learning_rate) {
    *s = g * g + *s;
    *w = *w - learning_rate * (g / (@sqrt(*s) + K(1e-8)));
}

/* W and b along outer(a, delta); the sums of squares are kept in S and s */
static void @step(real *W, real *b, real *S, real *s, const real *a, const real *delta, int n_in,
<INDENT>int n_out, int listed, real learning_rate) {
    for (int i = 0; i < n_in; i++) {
        if (a[i] == 0 || (listed && a[i] <= 0)) continue;
        for (int j = 0; j < n_out; j++)
            @move(W + i * n_out + j, S + i * n_out + j, a[i] * delta[j], learning_rate);
    }
    for (int j = 0; j < n_out; j++) @move(b + j, s + j, delta[j], learning_rate);
}"""
# dE/da, or dE/dz where loss and activation are a pair, from a - y.
DELTAS = {
    "squared_error": "",
    "absolute_error": "delta[k] = delta[k] > 0 ? 1 : delta[k] < 0 ? -1 : delta[k];",
    "huber": "delta[k] = delta[k] > K(<P>) ? K(<P>) : delta[k] < K(-<P>) ? K(-<P>) : delta[k];",
    "quantile": "delta[k] = delta[k] > 0 ? K(<1-P>) : delta[k] < 0 ? K(-<P>) : delta[k];",
    "log_loss": "",
    "poisson": "",
}


def learning_functions(name: str, rule: str) -> dict[str, tuple[str, str]]:
    """Return templates for steps by "sgd" or "adagrad"; see `c_math.functions_for`."""
    indent = " " * (len("static void _forward(") + len(name))
    step = STEP_SGD if rule == "sgd" else STEP_ADAGRAD
    functions = {
        "forward": ("", FORWARD.replace("<INDENT>", indent)),
        "delta_below": ("", DELTA_BELOW),
        "step": ("" if rule == "sgd" else "sqrt", step.replace("<INDENT>", indent[3:])),
    }
    for activation, (callees, slope) in SLOPES.items():
        read = "values" if slope else ""
        functions[f"derive_{activation}"] = (
            callees,
            f"""
/* delta f'(z), of {"z" if is_of_z(activation) else "a"} */
static void @derive_{activation}(real *delta, const real *values, int n) {{
    for (int k = 0; k < n; k++) {{
        const real a = {read}[k];
        {slope}
    }}
}}""",
        )
    return functions


def is_listed(below: Layer, layer: Layer) -> bool:
    """Whether the kernels list the units of the layer below that are not 0."""
    return (
        below.activation == "relu"
        and layer.n_out >= MIN_OUTPUTS_TO_LIST
        and (below.n_out >= MIN_UNITS_TO_LIST or layer.n_out > MAX_OUTPUTS_ACROSS)
    )


def output_delta(described: Description) -> list[str]:
    """Return what makes the last layer's delta of a - y, as lines."""
    text, parameter = DELTAS[str(described.loss)], described.loss_parameter
    text = text.replace("<1-P>", repr(1 - parameter)).replace("<P>", repr(parameter))
    return [text] if text else []
