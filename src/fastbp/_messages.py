"""What messages share: counts with their nouns, what a wrong value was meant to be, whose line."""

from __future__ import annotations

import numbers
import sys
from collections.abc import Mapping, Sequence
from typing import Any

# Names that other libraries have for the same, in lower case.
ALIASES = {
    "sigmoid": "logistic", "linear": "identity", "none": "identity", "rectifier": "relu",
    "rectified_linear": "relu", "hyperbolic_tangent": "tanh", "exponential": "exp",
    "swish": "silu", "leakyrelu": "leaky_relu", "lrelu": "leaky_relu",
    "adam_w": "adamw", "rms_prop": "rmsprop", "ada_grad": "adagrad",
    "mse": "squared_error", "l2": "squared_error", "squared_loss": "squared_error",
    "mean_squared_error": "squared_error", "least_squares": "squared_error",
    "mae": "absolute_error", "l1": "absolute_error", "mean_absolute_error": "absolute_error",
    "smooth_l1": "huber", "pinball": "quantile", "pinball_loss": "quantile",
    "cross_entropy": "log_loss", "crossentropy": "log_loss", "bce": "log_loss", "nll": "log_loss",
    "binary_crossentropy": "log_loss", "categorical_crossentropy": "log_loss",
    "deviance": "log_loss", "poisson_loss": "poisson", "poisson_deviance": "poisson",
    "gradient_descent": "sgd", "fixed": "constant", "inverse_scaling": "invscaling",
}  # fmt: skip

# What to do about a value of a parameter that no spelling explains.
ADVICE = {
    ("batch_size", "auto"): "scikit-learn's \"auto\" is batch_size=200, or all rows if they are "
    "fewer",
    ("solver", "lbfgs"): "It learns from all rows at once; scikit-learn's MLPClassifier and "
    "MLPRegressor have it",
}  # fmt: skip


def counted(n: int, noun: str) -> str:
    """Return a number with its noun, as in "1 row" and "1,000 rows"."""
    return f"{n:,} {noun_for(n, noun)}"


def noun_for(n: int, noun: str) -> str:
    """Return a noun as it stands behind a number: "row" or "rows"."""
    if n == 1:
        return noun
    return f"{noun}es" if noun.endswith(("s", "x")) else f"{noun}s"


def level_of_caller() -> int:
    """Return the ``stacklevel`` with which a warning names the line that called fastbp.

    However many of its own functions that line is away: `fit` is called by users and by `record`.
    """
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    return level


def _is_ours(module: str) -> bool:
    # Methods that scikit-learn's callbacks follow are called by a function of theirs.
    own = __name__.partition(".")[0], "sklearn.callback"
    return module.partition(".")[0] == own[0] or module.startswith(own[1])


def advice_on(
    name: str,
    value: Any,
    allowed: Sequence[str] = (),
    elsewhere: Mapping[str, str] | None = None,
) -> str:
    """Return a sentence that says what to write instead of a wrong value, or nothing.

    Begins with a full stop and a space, to stand behind a message. ``elsewhere`` says of names that
    are not allowed where they are.
    """
    if name == "learning_rate" and _is_number(value) and "constant" in allowed:
        return f". It names a schedule; the learning rate itself is learning_rate_init={value!r}"
    if not isinstance(value, str):
        return ""
    if (name, value) in ADVICE:
        return f". {ADVICE[name, value]}"
    meant = _meant(value, allowed)
    if meant:
        return f". Did you mean {meant!r}?"
    place = (elsewhere or {}).get(_alias(value))
    return f". {place}" if place else ""


def _meant(value: str, allowed: Sequence[str]) -> str | None:
    alias = _alias(value)
    if alias in allowed:
        return alias
    import difflib  # for errors alone

    close = difflib.get_close_matches(value.lower(), allowed, n=1, cutoff=0.7)
    return close[0] if close else None


def _alias(value: str) -> str:
    """Return the name that fastbp has for something, spelt in any way."""
    plain = value.strip().lower().replace("-", "_").replace(" ", "_")
    return ALIASES.get(plain, plain)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
