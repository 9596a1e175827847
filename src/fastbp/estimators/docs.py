"""What the docstrings of the two estimators have in common, written once."""

from __future__ import annotations

import string
from collections.abc import Mapping

from .._docstrings import Class, fill_docstring
from ..network.rules import part_of_docs
from ..training.schedule import about_schedules, choices

PARTS = {
    "layers": """
hidden_layer_sizes : int, sequence of int or "auto", default="auto"
    Units of each hidden layer; empty for a linear model. "auto" is (64, 64) for each network of an
    ensemble, and (100,) for one alone.
activation : {"identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "selu", "softplus", \
        "silu", "gelu", "mish"} or list of these, default="relu"
    Activation of the hidden layers; a list names one for each.
""",
    "training": """
$solver
alpha : float, default=0.0
    Strength of the L2 penalty on weights: a batch of b rows moves along
    ``(sum of row gradients + alpha W) / b``. Biases are not penalised.
batch_size : int, default=1
    Number of rows per step.
learning_rate : $schedules or callable, default="cosine"
    How the learning rate changes during training, given ``learning_rate_init``:

    $about_schedules

    A callable takes the share of ``max_iter`` epochs that is done, from 0 to below 1, and returns
    the factor of ``learning_rate_init``, a finite number above 0.

    "invscaling" and "adaptive" set the rate before each epoch, with ``solver="sgd"`` only: they are
    ignored by the other solvers. The others are for every solver, and set it again within an
    epoch, after every 10,000 rows (whole batches). They begin again with each `fit`, and count on
    ``max_iter`` epochs, even if ``tol`` ends training before. `partial_fit`, which has no end to
    count on, takes ``learning_rate_init``; but it follows "invscaling", and goes on
    with the rate that an "adaptive" `fit` has come to.
learning_rate_init : float or "auto", default="auto"
    Length of a step relative to the gradient. If training diverges, try a tenth. "auto" depends
    on the solver. For "sgd" it is ``1 - momentum`` times 0.02 in `fit`, or 10 divided by the number
    of features if that is less; 0.01 in `partial_fit`, or 1 divided by this number, and divided by
    the number of networks that `fit` has joined; and 0.001 with ``standardize=False``. For
    "adagrad" it is 0.01, for the others 0.001.
power_t : float, default=0.5
    See ``learning_rate``.
learning_rate_options : dict, default=None
    The options of ``learning_rate`` by their names, such as ``{"gamma": 0.9}``. With every
    schedule, and with a callable, there is also ``warmup``, a share of ``max_iter`` in which the
    rate rises: after e epochs of `fit` it is multiplied by
    ``(e + 1) / (warmup * max_iter + 1)``, up to 1.
max_iter : int or "auto", default="auto"
    Most epochs (passes over the rows) that `fit` makes. "auto" is 200; with "cosine", "one_cycle"
    and a callable as ``learning_rate`` it is 100,000 divided by the number of rows, but at least 12
    (down to 3 from 400,000 rows on) and at most 200.
shuffle : bool, default=True
    Take the rows in a new random order in every epoch. The model that `fit` makes then does
    not depend on the order of the rows in ``X``.
random_state : int, RandomState or None, default=None
    Draws the initial weights, and shuffles; also chooses the rows held out by
    ``early_stopping`` and the units of ``dropout``. The same int gives the same bits in every run.
tol : float, default=1e-4
    `fit` ends early once the loss has not improved by more than ``tol`` for more than
    ``n_iter_no_change`` epochs in a row; with ``early_stopping=True`` once the validation score
    has not. In units of the loss that the network sees: with ``standardize=False`` choose a smaller
    one for small targets. Of no effect on a loss of held-out rows, of which every fall counts.
n_iter_no_change : int, numpy.inf or "auto", default="auto"
    See ``tol``. Infinity makes all ``max_iter`` epochs. "auto" is 10; with a schedule that lasts
    for ``max_iter`` epochs it is a fifth of them, at least 5, where the loss of held-out rows is
    judged, and infinity elsewhere.
early_stopping : bool or "auto", default="auto"
    Hold out rows, and keep the weights of the epoch that was best on them. "auto" judges by
    the loss of these rows, and holds out none where there are fewer than 20 rows; it looks at them
    after each of the first 20 epochs, then after every 20th part of the epochs made so far. True
    judges by the score (see ``validation_scores_``). `partial_fit` holds out none, and refuses
    True.
validation_fraction : float in (0, 1), default=0.2
    Share of the rows to hold out, unless `fit` is given ``X_val`` and ``y_val``. A warm start
    holds out the same rows of the same data.
verbose : bool, default=False
    Print the loss of each epoch, and of rows held out, of several networks the means; and, when
    `fit` ends, ``convergence_``.
warm_start : bool, default=False
    `fit` goes on from the weights of the call before.
momentum : float in [0, 1), default=0.0
    Share of the last step that is added to the next one.
nesterovs_momentum : bool, default=True
    With momentum: Nesterov's, which looks one step ahead.
beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
    With Adam and AdamW: how slowly their means of gradients and of their squares forget; beta_2
    also RMSprop's.
epsilon : float, > 0, default=1e-8
    With all solvers but "sgd": added to the root that the step is divided by. With float32 data
    at least 1.1e-19, the root of its smallest normal number: below, squares of gradients are 0 to
    float32 where epsilon should still count, and `fit` raises ValueError. float64 takes any.
dropout : float in [0, 1) or list of these, default=0.0
    Probability with which a row leaves out a unit while training; a list has one for each hidden
    layer. The units that stay count for ``1 / (1 - dropout)`` as much (Srivastava et al., 2014),
    so that predictions, which use all of them, need no correction. ``loss_curve_`` is that of the
    thinned networks; ``validation_loss_curve_`` is not.
n_threads : int, default=1
    Most threads to share large batches, and predictions for many rows, among; training row by
    row takes one. The model and its predictions are the same, to the bit, for every count.
n_init : int, default=1
    Random initialisations from which `fit` trains, all in the same order of rows; the network
    whose last epoch has the smallest loss is kept, or with ``early_stopping`` that of the best
    score; where all diverge, that of the best epoch. Each stops by its own ``tol``, and ends as it
    would alone. The first is that of ``n_init=1``, so that more never end in a larger loss. Where
    they are small, and neither dropout, held-out rows, "adaptive" nor callbacks are used, they
    are trained side by side, in a fraction of the time of as many fits. ``warm_start`` and
    `partial_fit` go on from the one that was kept.
standardize : bool, default=True
    Scale the columns of ``X``, and a regressor's targets, to a mean of 0 and a standard deviation
    of 1, and predict in the units of ``y``: see ``input_scaling_`` and the notes.
ensemble : int or "auto", default="auto"
    Number of networks that `fit` trains, each from initial weights of its own and, with
    ``early_stopping``, with rows of its own held out. Their epochs are made in turn, and judged by
    the mean over the networks. Then they are joined into one: their hidden layers side by
    side, and z of the last layer the mean of theirs. "auto" is 8 for fewer than 1,000 rows and 4
    for more, where ``hidden_layer_sizes`` and ``early_stopping`` are "auto", ``n_init`` is 1 and
    `fit` draws new weights; elsewhere 1. Not together with ``n_init``.
missing : {"error", "indicator"}, default="error"
    What is done where values of ``X`` are missing (NaN, None, ``pandas.NA``). "error" refuses them.
    "indicator" takes the mean of the column's other values, and gives the network a column of 0 and
    1 more for each feature that was missing somewhere in `fit`: see ``missing_features_``. In a
    model that begins with `partial_fit` every feature has one, and means are running ones.
""",
    "attributes": """
network_ : Network
    The fitted network, of an ensemble the joined one; ``coefs_`` and ``intercepts_`` share its
    memory. It takes rows, and gives outputs, in the units of ``input_scaling_`` and
    ``target_scaling_``.
coefs_ : list of ndarray of shape (n_in, n_out)
    Weights of each layer. Writable, and can be assigned to: values are copied in.
intercepts_ : list of ndarray of shape (n_out,)
    Biases of each layer, writable and assignable as well.
input_scaling_ : Scaling, or None
    How the columns of ``X`` are scaled (``center``, ``scale``, ``limit``, ``transform``); None with
    ``standardize=False``.
target_scaling_ : Scaling, or None
    How the targets are (``center``, ``scale``, ``inverse``); None for classes as well.
missing_features_ : ndarray of int of shape (n_marked,), or None
    Numbers of the features with a column that says where they are missing, in the order of these
    columns, which follow the others in the network; None with ``missing="error"``.
loss_curve_ : list of float
    Loss of each epoch since the weights were drawn: the mean over the epoch's rows of the
    row's loss just before its own step, a sum over outputs, in the units of the network; of an
    ensemble the mean of its networks. The penalty is not in it. Infinite
    for an epoch in which training diverged. Of calls of `partial_fit` it holds the last 1,000, or
    some more: a stream does not make the model grow.
history_ : dict of str to list
    Of the epochs of `fit`, as columns that a DataFrame takes: ``epoch``, ``rows``, ``loss``,
    ``validation_loss``, ``validation_score``, ``learning_rate``, ``gradient_norm`` (of the mean
    gradient that the epoch's steps followed) and ``seconds``.
learning_rate_ : float
    What ``learning_rate_init`` stood for.
convergence_ : str
    Why the last `fit` ended, and of which epoch the weights are; whether the loss still fell as it
    did at first, and a tenth or more of a layer's units are dead.
dead_units_ : list of int
    How many units of each hidden layer gave 0 for all of up to 500 rows after `fit`; of layers of
    ReLU, up to the first other one. `fit` warns where these are more than nine tenths of a layer.
diverged_ : bool
    Whether training diverged in the last epoch. `fit` then keeps the weights of the best epoch, or
    the initial ones if those are better (with ``early_stopping``, those of the best score), and
    `partial_fit` those from before the call. A network of an ensemble then goes on at a quarter of
    the learning rate, up to three times.
loss_, best_loss_ : float
    Its last and its smallest value.
validation_loss_curve_ : list of float, or None
    Mean loss of the rows held out (``early_stopping``, or ``X_val`` of `fit`) after each epoch, or
    each of those that ``early_stopping="auto"`` looks after.
best_validation_score_ : float or None
    Largest of ``validation_scores_``.
init_losses_ : ndarray of shape (n_init,), or (ensemble,)
    Last loss of each initialisation that `fit` has drawn; infinite where training diverged, or a
    callback ended it before.
best_init_ : int
    Position in it of the smallest, which ``n_init`` keeps.
n_iter_ : int
    Number of epochs since the weights were drawn.
t_ : int
    Number of rows seen in them.
n_layers_ : int
    Number of layers, inputs and outputs included.
n_outputs_ : int
    Number of units of the output layer.
out_activation_ : str
    Activation of the output layer.
n_features_in_ : int
    Number of features seen in `fit`.
feature_names_in_ : ndarray of shape (n_features,)
    Names of the features, where ``X`` was a DataFrame with text as column names.
""",
    "notes": """
A row of weight w is taken ceil(w) times an epoch, each time with weight w / ceil(w): a whole
weight gives, to the bit, the model of that many copies of the row. Weights whose mean is above
8, rows of weight 0 aside, are scaled down to that mean.

With ``standardize=True`` a column is scaled by ``t = (x - mean) / standard deviation``; one of two
values by the distance between them; one whose deviation is that of a few huge values by its median
and quartiles; the columns of CSR matrices, and of dense tables that are mostly zeros, by the root
mean square of the values that are not zero, without a mean. A constant column becomes 0. What comes
of this is bounded by ``t / sqrt(1 + (t / 3)**2)`` (Holzmüller, Grinsztajn and Steinwart, 2024), so
that no value is beyond 3. `fit` takes the numbers from all rows, held out or not, and they stay for
warm starts and later calls of `partial_fit`. A model that begins with `partial_fit` keeps running
means and variances instead, of CSR matrices root mean squares; in means and variances a value more
than 20 standard deviations beyond all rows before counts as just that far. `fit` makes no scaled
copy of more than two million values: rows are scaled where they are read.

With ``missing="indicator"`` a gap counts as the mean of its column, also one in a feature that had
none in `fit`; of CSR matrices zeros belong to it. A feature without any value is 0. Missing values
are filled before anything is scaled, in a copy of ``X``. `sensitivity` has the features of ``X``
only; traces and figures also show the columns of marks.

Rows may be dense or sparse. float32 is computed in float32, everything else in float64; an
array of either whose rows are contiguous is not copied, but for the rows held out. So ``X`` may be
a `numpy.memmap` larger than memory, with ``early_stopping=False``: choose ``shuffle=False`` if
reading it in random places is slow. Training converts any other array as a whole (of integers, in
Fortran order, not aligned), predictions a block of rows after the other.

Row by row, `partial_fit` and `predict_one` take microseconds. For that `partial_fit` needs a
contiguous array (1, n_features) of the dtype of the network, and ``y`` of one item; parameters
are checked again only where they have changed.

With scikit-learn 1.9 and newer, ``set_callbacks`` takes its callbacks, such as
`sklearn.callback.ProgressBar` and `sklearn.callback.ScoringMonitor`: `fit` tells them of every
epoch.
""",
}


def with_shared_parts(one: Class, own: Mapping[str, str] | None = None) -> Class:
    """Put the parts that an estimator's docstring names, such as ``$layers``, into it.

    ``own`` are parts that only some estimators have.
    """
    solver = part_of_docs("learning_rate_init").rstrip()
    schedules = "\n    ".join(about_schedules())
    parts = {
        name: string.Template(text).substitute(
            solver=solver, schedules=choices(), about_schedules=schedules
        )
        for name, text in (PARTS | dict(own or {})).items()
    }
    return fill_docstring(one, parts)
