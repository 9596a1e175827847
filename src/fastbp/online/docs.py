"""What the docstrings of the two models of streams have in common, written once."""

from __future__ import annotations

from .._docstrings import Class, fill_docstring
from ..network.rules import choices

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
solver : $solvers or "auto", default="auto"
    How a step follows the gradient; see `Network.train_epoch`. A row moves the weights of those
    inputs alone that it has. "auto" mixes three networks (see Notes); where ``replay`` is 0 or
    ``learning_rate_init`` is given, it is one network with "adagrad".
learning_rate_init : float or "auto", default="auto"
    Length of a step. Makes it one network. "auto" is 0.1 for "adagrad", 0.005 for "rmsprop", 0.01
    for "sgd" and 0.001 for the others. It may be assigned to at any time.
alpha : float, default=0.0
    Strength of the L2 penalty on the weights that a row moves.
replay : int or "auto", default="auto"
    Rows of the past that are learned again after each row, unless they are predicted well. "auto"
    is 12 for one of three networks, and 0 where it is one network; 0 makes it one network.
buffer : {"last", "sample", "both"}, default="last"
    Which rows of the past are kept for that: the last ones, a random sample of all, or half of
    each.
buffer_size : int, default=3000
    How many. Where three networks are mixed and the loss jumps, all but the last 100 are forgotten.
max_features : int, default=None
    Most inputs; where a new one would be too many, those that did not occur for the longest time
    are forgotten. None: no bound.
hashed_features : int, default=None
    Give every name one of so many inputs, by its hash, which others may share: memory is fixed, and
    ``feature_names_`` is empty. Half are for numbers, half for texts, so at least 2.
missing : {"error", "mean"}, default="error"
    Whether None and NaN are refused, or count as left out.
drift_detector : object with ``update(error)`` and ``drift_detected``, default=None
    Such as ``river.drift.ADWIN()``. It sees the error of each row's prediction (0 or 1 for labels);
    where it detects drift, the rows of the past are forgotten. None is needed: the mixture of
    networks adapts by itself. With one, rows are learned one by one in Python.
random_state : int, RandomState, Generator or None, default=None
    Draws the initial weights, by the names of features, and the rows that are replayed. The same
    int gives the same bits from the same stream.
""".replace("$solvers", choices()),
    "attributes": """
feature_names_ : list
    Names of the inputs; of text a pair of name and text.
n_features_ : int
    How many inputs are in use.
network_ : Network
    A copy of the network that predicted best of late, on scaled inputs and targets.
is_started : bool
    Whether anything was learned.
""",
    "notes": """
With all of ``solver``, ``learning_rate_init`` and ``replay`` "auto", three networks learn each row:
a linear one, one that forgets fast, and one that forgets slowly and learns rows of the past again.
Predictions are mixed by their losses of late (the weights are ``exp(-loss)``, of sums in which
each row counts 1 % less than the next), so that replay has a say where it helps, and none where the
world changes.

Numbers are scaled by the mean and standard deviation of about the last 1,000 values, and bounded to
4. In these a value further than 10 standard deviations counts as just that far; where the spread of
all targets is more than 64 times that of the last 32, these alone count.

``to_onnx``, ``to_c`` and ``to_numpy`` take the model of now out of Python: inputs in the order of
``feature_names_``, for a text one that is 1 where it occurs, and NaN for a number that is left out,
as `exported_rows` has them.

Parameters are checked at the first row, and stay as they are from then on. Threads may share a
model: each call sees it between two rows. A pickle or a copy goes on with the same bits.
""",
}


def with_shared_parts(one: Class) -> Class:
    """Put the parts that a model's docstring names, such as ``$layers``, into it."""
    return fill_docstring(one, PARTS)
