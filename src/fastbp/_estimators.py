"""`BackpropRegressor` and `BackpropClassifier`: a network behind scikit-learn's fit and predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils import column_or_1d

from ._backprop import Backprop, Call, Settled, Task
from ._labels import (
    check_class_weight,
    check_same_classes,
    check_two_classes,
    checked_labels,
    class_numbers,
    given_classes,
    known_numbers,
    weights_with_classes,
)
from ._validation import as_numbers, check_choice, only_item


class BackpropRegressor(MultiOutputMixin, RegressorMixin, Backprop):
    """Multilayer perceptron for regression, trained row by row by backpropagation.

    Plain stochastic gradient descent, in compiled code: every row's step is taken before the next
    row is looked at. Momentum, batches of rows and Adam are there for the asking.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Units of each hidden layer; empty for a linear model.
    activation : {"identity", "logistic", "tanh", "relu"} or list of these, default="relu"
        Activation of the hidden layers; a list names one for each.
    loss : {"squared_error", "absolute_error", "poisson"}, default="squared_error"
        Loss of one output a: ``1/2 (a - y)**2``; ``|a - y|``; half the Poisson deviance
        ``y log(y / a) - y + a``, for which a is ``exp(z)`` and y must not be negative.
    solver : {"sgd", "adam"}, default="sgd"
        Gradient descent; or Adam (Kingma and Ba, 2015), which wants larger batches, scales every
        parameter's step by its own past gradients and takes no ``momentum``.
    alpha : float, default=0.0
        Strength of the L2 penalty on weights: a batch of b rows moves along
        ``(sum of row gradients + alpha W) / b``. Biases are not penalised.
    batch_size : int, default=1
        Rows a step.
    learning_rate_init : float, default=0.001
        Length of a step relative to the gradient. If training diverges, try a tenth.
    max_iter : int, default=200
        Most epochs (passes over the rows) that `fit` makes.
    shuffle : bool, default=True
        Visit the rows in a new random order in every epoch. The model that `fit` makes then does
        not depend on the order of the rows in ``X``.
    random_state : int, RandomState or None, default=None
        Draws the initial weights and shuffles. The same int gives the same bits in every run.
    tol : float, default=1e-4
        `fit` ends early once the loss has not improved by ``tol`` for more than
        ``n_iter_no_change`` epochs in a row.
    n_iter_no_change : int, default=10
        See ``tol``.
    verbose : bool, default=False
        Print the loss of each epoch.
    warm_start : bool, default=False
        `fit` goes on from the weights of the call before.
    momentum : float in [0, 1), default=0.0
        Share of the last step that is added to the next one.
    nesterovs_momentum : bool, default=True
        With momentum: Nesterov's, which looks one step ahead.
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        With Adam: how slowly its means of gradients and of their squares forget.
    epsilon : float, > 0, default=1e-8
        With Adam: added to the root of the mean of squares.
    n_threads : int, default=1
        Most threads to share large batches, and predictions for many rows, among; training row by
        row takes one. The model and its predictions are the same, to the bit, for every count.
    n_init : int, default=1
        Random initialisations from which `fit` trains, all in the same order of rows; the network
        whose last epoch has the smallest loss is kept. Each stops by its own ``tol``, and ends as
        it would alone. The first is that of ``n_init=1``, so that more never end in a larger loss.
        Where they are small, they are trained side by side, in a fraction of the time of as many
        fits. ``warm_start`` and `partial_fit` go on from the one that was kept.

    Attributes
    ----------
    network_ : Network
        The fitted network; ``coefs_`` and ``intercepts_`` share its memory.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer. Writable, and can be assigned to: values are copied in.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each layer, likewise.
    loss_curve_ : list of float
        Loss of each epoch since the weights were drawn: the mean over the visited rows of the
        row's loss just before its own step, a sum over outputs. The penalty is not in it. Infinite
        for an epoch in which training diverged.
    loss_, best_loss_ : float
        Its last and its smallest value.
    init_losses_ : ndarray of shape (n_init,)
        Last loss of each initialisation that `fit` has drawn; infinite where training diverged.
    best_init_ : int
        Position in it of the one that was kept.
    n_iter_ : int
        Number of epochs since the weights were drawn.
    t_ : int
        Number of rows visited in them.
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

    Notes
    -----
    A row of weight w is visited ceil(w) times an epoch, each time with weight w / ceil(w): a whole
    weight gives, to the bit, the model of that many copies of the row. Weights whose mean is above
    8, rows of weight 0 aside, are scaled down to that mean.

    Rows may be dense or sparse. float32 is computed in float32, everything else in float64; an
    array of either whose rows are contiguous is not copied. So ``X`` may be a `numpy.memmap` larger
    than memory: choose ``shuffle=False`` if reading it in random places is slow. Training converts
    any other array as a whole (of integers, in Fortran order, not aligned), predictions a block of
    rows after the other.

    Row by row, `partial_fit` and `predict_one` take microseconds. For that `partial_fit` needs a
    contiguous array (1, n_features) of the dtype of the network, and ``y`` of one item; parameters
    are checked anew only where they have changed.
    Training is at its best on inputs and targets of mean 0 and standard deviation 1; see
    `sklearn.preprocessing.StandardScaler` and `sklearn.compose.TransformedTargetRegressor`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbp import BackpropRegressor
    >>> X = np.linspace(-2, 2, 200).reshape(-1, 1)
    >>> y = np.sin(2 * X).ravel()
    >>> model = BackpropRegressor(
    ...     hidden_layer_sizes=20, activation="tanh", learning_rate_init=0.05, random_state=0
    ... )
    >>> bool(model.fit(X, y).score(X, y) > 0.99)
    True
    """

    def __init__(
        self,
        *,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Sequence[str] = "relu",
        loss: str = "squared_error",
        solver: str = "sgd",
        alpha: float = 0.0,
        batch_size: int = 1,
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.0,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_threads: int = 1,
        n_init: int = 1,
    ) -> None:
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate_init=learning_rate_init,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            n_iter_no_change=n_iter_no_change,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_threads=n_threads,
            n_init=n_init,
        )
        self.loss = loss

    def partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Train for one epoch on these rows, from the present weights or, at first, from new ones.

        With ``shuffle=False`` the rows are visited in the order given.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the outputs of the network.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Of the dtype of the network: float32 if it was fitted on float32, float64 otherwise.
        """
        outputs = self._predictions(X, lambda outputs: outputs)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    def predict_one(self, x: ArrayLike) -> float | NDArray[Any]:
        """Return the outputs of the network for one row, in microseconds.

        Fastest with a contiguous array of the dtype of the network. Only the length of the row and
        its values are checked, not the names that a Series may have.

        Parameters
        ----------
        x : array-like of shape (n_features,)

        Returns
        -------
        float, or ndarray of shape (n_outputs,) where there are several
        """
        outputs = self._outputs_of_one(x)
        return float(outputs[0]) if len(outputs) == 1 else outputs

    def _target_of_one(self, y: Any, settled: Settled) -> Any:
        network = settled.network
        if network.layer_sizes[-1] == 1:
            return only_item(y)
        if type(y) is not np.ndarray or y.shape != (1, network.layer_sizes[-1]):
            return None
        return as_numbers("y", y[0], network.dtype)

    def _check_parameters(self, partial: bool) -> tuple[int, ...]:
        check_choice("loss", self.loss, ("squared_error", "absolute_error", "poisson"))
        return super()._check_parameters(partial)

    def _task(self, y: Any, sample_weight: Any, call: Call) -> Task:
        targets = as_numbers("y", y.toarray() if issparse(y) else y, np.dtype(np.float64))
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = column_or_1d(targets, warn=True)
        if targets.ndim not in (1, 2) or not targets.size:
            raise ValueError(
                "y must have shape (n_samples,) or (n_samples, n_outputs); got an array of shape "
                f"{targets.shape}"
            )
        n_outputs = 1 if targets.ndim == 1 else targets.shape[1]
        return Task(targets, sample_weight, n_outputs, None, self.loss)


class BackpropClassifier(ClassifierMixin, Backprop):
    """Multilayer perceptron for classification, trained row by row by backpropagation.

    Plain stochastic gradient descent on the cross-entropy, in compiled code: every row's step is
    taken before the next row is looked at. Momentum, batches of rows and Adam are there for the
    asking. Two classes, more, or several labels a row.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Units of each hidden layer; empty for a linear model.
    activation : {"identity", "logistic", "tanh", "relu"} or list of these, default="relu"
        Activation of the hidden layers; a list names one for each.
    solver : {"sgd", "adam"}, default="sgd"
        Gradient descent; or Adam (Kingma and Ba, 2015), which wants larger batches, scales every
        parameter's step by its own past gradients and takes no ``momentum``.
    alpha : float, default=0.0
        Strength of the L2 penalty on weights: a batch of b rows moves along
        ``(sum of row gradients + alpha W) / b``. Biases are not penalised.
    batch_size : int, default=1
        Rows a step.
    learning_rate_init : float, default=0.001
        Length of a step relative to the gradient. If training diverges, try a tenth.
    max_iter : int, default=200
        Most epochs (passes over the rows) that `fit` makes.
    shuffle : bool, default=True
        Visit the rows in a new random order in every epoch. The model that `fit` makes then does
        not depend on the order of the rows in ``X``.
    random_state : int, RandomState or None, default=None
        Draws the initial weights and shuffles. The same int gives the same bits in every run.
    tol : float, default=1e-4
        `fit` ends early once the loss has not improved by ``tol`` for more than
        ``n_iter_no_change`` epochs in a row.
    n_iter_no_change : int, default=10
        See ``tol``.
    verbose : bool, default=False
        Print the loss of each epoch.
    warm_start : bool, default=False
        `fit` goes on from the weights of the call before.
    momentum : float in [0, 1), default=0.0
        Share of the last step that is added to the next one.
    nesterovs_momentum : bool, default=True
        With momentum: Nesterov's, which looks one step ahead.
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        With Adam: how slowly its means of gradients and of their squares forget.
    epsilon : float, > 0, default=1e-8
        With Adam: added to the root of the mean of squares.
    n_threads : int, default=1
        Most threads to share large batches, and predictions for many rows, among; training row by
        row takes one. The model and its predictions are the same, to the bit, for every count.
    n_init : int, default=1
        Random initialisations from which `fit` trains, all in the same order of rows; the network
        whose last epoch has the smallest loss is kept. Each stops by its own ``tol``, and ends as
        it would alone. The first is that of ``n_init=1``, so that more never end in a larger loss.
        Where they are small, they are trained side by side, in a fraction of the time of as many
        fits. ``warm_start`` and `partial_fit` go on from the one that was kept.
    class_weight : dict, "balanced" or None, default=None
        Factor on the weights of each class's rows, 1 for a class that the dict leaves out.
        "balanced" gives every class the same sum of weights (in `fit` only). Not for several
        labels a row.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, in order; numbers of the columns where a row can have several labels.
    network_ : Network
        The fitted network; ``coefs_`` and ``intercepts_`` share its memory.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer. Writable, and can be assigned to: values are copied in.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each layer, likewise.
    loss_curve_ : list of float
        Loss of each epoch since the weights were drawn: the mean over the visited rows of the
        row's loss just before its own step, a sum over outputs. The penalty is not in it. Infinite
        for an epoch in which training diverged.
    loss_, best_loss_ : float
        Its last and its smallest value.
    init_losses_ : ndarray of shape (n_init,)
        Last loss of each initialisation that `fit` has drawn; infinite where training diverged.
    best_init_ : int
        Position in it of the one that was kept.
    n_iter_ : int
        Number of epochs since the weights were drawn.
    t_ : int
        Number of rows visited in them.
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

    Notes
    -----
    A row of weight w is visited ceil(w) times an epoch, each time with weight w / ceil(w): a whole
    weight gives, to the bit, the model of that many copies of the row. Weights whose mean is above
    8, rows of weight 0 aside, are scaled down to that mean.

    Rows may be dense or sparse. float32 is computed in float32, everything else in float64; an
    array of either whose rows are contiguous is not copied. So ``X`` may be a `numpy.memmap` larger
    than memory: choose ``shuffle=False`` if reading it in random places is slow. Training converts
    any other array as a whole (of integers, in Fortran order, not aligned), predictions a block of
    rows after the other.

    Row by row, `partial_fit` and `predict_one` take microseconds. For that `partial_fit` needs a
    contiguous array (1, n_features) of the dtype of the network, and ``y`` of one item; parameters
    are checked anew only where they have changed.
    Training is at its best on inputs of mean 0 and standard deviation 1; see
    `sklearn.preprocessing.StandardScaler`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fastbp import BackpropClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(
    ...     StandardScaler(), BackpropClassifier(learning_rate_init=0.02, random_state=0)
    ... )
    >>> bool(model.fit(X, y).score(X, y) > 0.95)
    True
    """

    def __init__(
        self,
        *,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Sequence[str] = "relu",
        solver: str = "sgd",
        alpha: float = 0.0,
        batch_size: int = 1,
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.0,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_threads: int = 1,
        n_init: int = 1,
        class_weight: Mapping[Any, float] | str | None = None,
    ) -> None:
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate_init=learning_rate_init,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            n_iter_no_change=n_iter_no_change,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_threads=n_threads,
            n_init=n_init,
        )
        self.class_weight = class_weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on these rows, from the present weights or, at first, from new ones.

        With ``shuffle=False`` the rows are visited in the order given.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), or of 0 and 1 of shape (n_samples, n_labels)
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever occur. Needed in the first call, unless y is of the second
            kind; may be left out later.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight, classes)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), or of 0 and 1 of shape (n_samples, n_labels)
        """
        return self._predictions(X, self._labels)

    def predict_one(self, x: ArrayLike) -> Any:
        """Return the most probable class of one row, in microseconds.

        Fastest with a contiguous array of the dtype of the network. Only the length of the row and
        its values are checked, not the names that a Series may have.

        Parameters
        ----------
        x : array-like of shape (n_features,)

        Returns
        -------
        label, or ndarray of 0 and 1 of shape (n_labels,) where a row can have several
        """
        return self._labels(self._outputs_of_one(x)[np.newaxis])[0]

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``. Of the dtype of the network.
        """
        return self._predictions(X, self._probabilities)

    def predict_proba_one(self, x: ArrayLike) -> NDArray[Any]:
        """Return the probability of each class for one row, in microseconds: see `predict_one`.

        Parameters
        ----------
        x : array-like of shape (n_features,)

        Returns
        -------
        ndarray of shape (n_classes,)
            In the order of ``classes_``. Of the dtype of the network.
        """
        probabilities: NDArray[Any] = self._probabilities(self._outputs_of_one(x)[np.newaxis])[0]
        return probabilities

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Finite: a probability too small for the dtype counts as its smallest normal number.
        """
        probabilities = self.predict_proba(X)
        np.maximum(probabilities, np.finfo(probabilities.dtype).tiny, out=probabilities)
        np.log(probabilities, out=probabilities)
        return probabilities

    def _labels(self, outputs: NDArray[Any]) -> Any:
        """Return the most probable label of each row of outputs, (n, n_outputs)."""
        if self._is_multilabel():
            return (outputs > 0.5).astype(np.int64)
        if outputs.shape[1] == 1:
            return self.classes_[(outputs[:, 0] > 0.5).astype(np.intp)]
        return self.classes_[outputs.argmax(axis=1)]

    def _probabilities(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return the probabilities (n, n_classes) that outputs (n, n_outputs) stand for."""
        if outputs.shape[1] > 1:
            return outputs
        probabilities = np.empty((len(outputs), 2), dtype=outputs.dtype)
        np.subtract(1, outputs, out=probabilities[:, :1])
        probabilities[:, 1:] = outputs
        return probabilities

    def _is_multilabel(self) -> bool:
        return self.n_outputs_ > 1 and self.out_activation_ == "logistic"

    def _target_of_one(self, y: Any, settled: Settled) -> Any:
        return None if self._is_multilabel() else settled.numbers.get(only_item(y))

    def _check_parameters(self, partial: bool) -> tuple[int, ...]:
        check_class_weight(self.class_weight, partial)
        return super()._check_parameters(partial)

    def _task(self, y: Any, sample_weight: Any, call: Call) -> Task:
        if call.settled and call.classes is None and not self._is_multilabel():
            found = known_numbers(y, call.settled.numbers)
            if found is not None:
                return Task(found, sample_weight, self.n_outputs_, None, "log_loss", self.classes_)
        y, is_indicator = checked_labels(y)
        if call.go_on and is_indicator != self._is_multilabel():
            columns = "columns of labels" if self._is_multilabel() else "one column of labels"
            raise ValueError(f"y has shape {y.shape}, but this model was fitted on {columns}")
        if is_indicator:
            return self._multilabel_task(y, sample_weight, call)
        if call.go_on:
            check_same_classes(call.classes, self.classes_)
            classes = self.classes_
        else:
            classes = given_classes(call.classes) if call.partial else np.unique(y)
        numbers = class_numbers(y, classes)
        weights = weights_with_classes(sample_weight, self.class_weight, numbers, classes)
        if not (call.go_on or call.partial):
            check_two_classes(numbers, classes, weights)
        n_outputs = 1 if len(classes) == 2 else len(classes)
        return Task(numbers, weights, n_outputs, None, "log_loss", classes)

    def _multilabel_task(self, y: NDArray[Any], sample_weight: Any, call: Call) -> Task:
        if self.class_weight is not None:
            raise ValueError(
                "class_weight is not supported where a row can have several labels; use "
                "sample_weight"
            )
        columns = np.arange(y.shape[1])
        check_same_classes(call.classes, columns)
        return Task(y, sample_weight, len(columns), "logistic", "log_loss", columns)
