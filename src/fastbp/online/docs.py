"""What the docstrings of the two models of streams have in common, written once."""

from __future__ import annotations

from .._docstrings import Class, fill_docstring
from ..network.solvers import choices

PARTS = {
    "about": """
Any feature may appear, disappear or come back, in any order: a number is scaled by its running mean
and standard deviation, and one that a row leaves out counts as its mean; each text that a feature
has had is an input of its own, 1 where it occurs. Nothing has to be known, scaled or encoded
beforehand, and memory is bounded where ``max_features`` or ``hashed_features`` is given.
""",
    "layers": """
hidden_layer_sizes : int or sequence of int, default=(64,)
    Units of each hidden layer; empty for a linear model.
activation : {"identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "selu", "softplus", \
        "silu", "gelu", "mish"} or list of these, default="relu"
    Activation of the hidden layers; a list names one for each.
""",
    "training": """
solver : $solvers, default="adagrad"
    How a step follows the gradient; see `Network.train_epoch`. A row moves the weights of those
    inputs alone that it has.
learning_rate_init : float, default=0.1
    Length of a step, of AdaGrad in units of the root of the sum of all squared gradients so far.
alpha : float, default=0.0
    Strength of the L2 penalty on the weights that a row moves.
replay : int or "auto", default="auto"
    Rows of the past that are learned again after each row.
buffer_size : int, default=1000
    Rows of the past that are kept for that, a random sample of all.
max_features : int, default=None
    Most inputs; where a new one would be too many, those that did not occur for the longest time
    are forgotten. None: no bound.
hashed_features : int, default=None
    Give every name one of so many inputs, by its hash, which others may share: memory is fixed.
missing : {"error", "mean"}, default="error"
    Whether None and NaN are refused, or count as left out.
drift_detector : object with ``update(error)`` and ``drift_detected``, default=None
    Such as ``river.drift.ADWIN()``. It sees the error of each row's prediction (0 or 1 for labels);
    where it detects drift, the rows of the past are forgotten. None is needed: the mixture of
    networks adapts by itself. With one, rows are learned one by one in Python.
random_state : int, RandomState, Generator or None, default=None
    Draws the initial weights, by the names of features and classes, and chooses the rows that are
    kept and replayed. The same int gives the same bits from the same stream.
""".replace("$solvers", choices()),
}


def with_shared_parts(one: Class) -> Class:
    """Put the parts that a model's docstring names, such as ``$layers``, into it."""
    return fill_docstring(one, PARTS)
