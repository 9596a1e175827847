"""`BackpropClassifier`: two classes, several, or several yes or no."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin

from ..network.arrays import as_numbers, only_item
from ..network.blocks import Blocks
from ..network.frames import as_array_like
from ..training.stopping import Score
from .calls import PreparedCall
from .conversion import Convertible
from .docs import with_shared_parts
from .features import plain_list
from .labels import (
    check_class_weight,
    check_same_classes,
    check_two_classes,
    checked_labels,
    class_numbers,
    given_classes,
    known_numbers,
    weights_with_classes,
)
from .prepared import EncodedTargets, FitRequest


@with_shared_parts
class BackpropClassifier(ClassifierMixin, Convertible):
    """Multilayer perceptron for classification, trained row by row by backpropagation.

    Stochastic gradient descent on the cross-entropy, in compiled code: every row's step is taken
    before the next row is looked at. Two classes, more, or several labels a row. By default, inputs
    are standardized, and a few networks are trained until rows held out show no progress, then
    joined into one. With ``standardize=False, learning_rate="constant", early_stopping=False`` it
    is the plain algorithm in the units of the data.

    Parameters
    ----------
    $layers
    $training
    class_weight : dict, "balanced" or None, default=None
        Factor on the weights of each class's rows, 1 for a class that the dict leaves out; also of
        rows held out. "balanced" gives every class the same sum of weights (in `fit` only). Not for
        several labels a row.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, in order; numbers of the columns where a row can have several labels.
    $attributes
    validation_scores_ : list of float, or None
        Accuracy on the rows held out after each epoch: the share of their weight that is
        predicted right; with ``early_stopping="auto"`` minus their mean loss. Both hold out the
        same share of every class; "auto" of all rows together where a class has too few.

    Notes
    -----
    $notes
    Probabilities of an ensemble are the geometric means of those of its networks, scaled to sum up
    to 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastbp import BackpropClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = BackpropClassifier(random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    class_weight: Mapping[Any, float] | str | None
    classes_: NDArray[Any]
    _counterpart = "MLPClassifier"

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] | str = "auto",
        activation: str | Sequence[str] = "relu",
        *,
        solver: str = "sgd",
        alpha: float = 0.0,
        batch_size: int = 1,
        learning_rate: str | Callable[[float], float] = "cosine",
        learning_rate_init: float | str = "auto",
        power_t: float = 0.5,
        learning_rate_options: Mapping[str, Any] | None = None,
        max_iter: int | str = "auto",
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        n_iter_no_change: float | str = "auto",
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.2,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.0,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        dropout: float | Sequence[float] = 0.0,
        n_threads: int = 1,
        n_init: int = 1,
        standardize: bool = True,
        ensemble: int | str = "auto",
        missing: str = "error",
        class_weight: Mapping[Any, float] | str | None = None,
    ) -> None:
        self._set_parameters(locals())

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

        With ``shuffle=False`` the rows are taken in the order given.

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

    def _classes_of_stream(self, source: Blocks, classes: Any) -> Any:
        if classes is not None:
            return np.unique(np.asarray(classes))
        if not source.can_repeat:
            raise ValueError(
                "classes must list all labels where blocks is an iterator, which gives one pass"
            )
        labels: set[Any] = set()
        for _, y, _ in source.read_ahead():
            found = np.asarray(as_array_like(y))
            if found.ndim == 2:  # several labels a row need no list
                return None
            labels.update(np.unique(found).tolist())
        return np.array(sorted(labels))

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

        Fastest with a contiguous array of the dtype of the network, which has no names to check.

        Parameters
        ----------
        x : array-like of shape (n_features,), Series, mapping or frame of one row
            The names of a Series or of columns must be those of ``feature_names_in_``, in their
            order, as in `predict`. A mapping, such as a dict, and a named tuple are read by name,
            in any order.

        Returns
        -------
        label, or ndarray of 0 and 1 of shape (n_labels,) where a row can have several
        """
        outputs = self._outputs_of_one(x)
        if len(outputs) == 1:  # arrays of one number take as long as a small network
            return self.classes_[int(outputs[0] > 0.5)]
        return self._labels(outputs[np.newaxis])[0]

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
        x : array-like of shape (n_features,), Series, mapping or frame of one row

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

    def _target_of_one(self, y: Any, prepared: PreparedCall) -> Any:
        if not self._is_multilabel():
            return prepared.numbers.get(only_item(y))
        network = prepared.network
        y = plain_list(y) if type(y) is list else y
        if type(y) is not np.ndarray or y.shape != (1, network.layer_sizes[-1]):
            return None
        is_indicator = y.dtype.kind in "iub" and bool(((y == 0) | (y == 1)).all())
        return as_numbers("y", y[0], network.dtype) if is_indicator else None

    def _check_parameters(self, incremental: bool) -> tuple[int, ...] | None:
        check_class_weight(self.class_weight, incremental)
        return super()._check_parameters(incremental)

    def _encoded_targets(self, y: Any, sample_weight: Any, request: FitRequest) -> EncodedTargets:
        prepared = request.prepared
        is_known = prepared is not None and (
            request.classes is None or prepared.has_classes(request.classes)
        )
        if prepared is not None and is_known and not self._is_multilabel():
            found = known_numbers(y, prepared.numbers)
            if found is not None:
                return EncodedTargets(
                    found, sample_weight, self.n_outputs_, None, "log_loss", self.classes_
                )
        y, is_indicator = checked_labels(y)
        if request.warm_start and is_indicator != self._is_multilabel():
            columns = "columns of labels" if self._is_multilabel() else "one column of labels"
            raise ValueError(f"y has shape {y.shape}, but this model was fitted on {columns}")
        if is_indicator:
            return self._multilabel_targets(y, sample_weight, request)
        if request.warm_start:
            check_same_classes(request.classes, self.classes_)
            classes = self.classes_
        else:
            classes = given_classes(request.classes) if request.incremental else np.unique(y)
        numbers = class_numbers(y, classes)
        weights = weights_with_classes(sample_weight, self.class_weight, numbers, classes)
        if not (request.warm_start or request.incremental):
            check_two_classes(numbers, classes, weights)
        n_outputs = 1 if len(classes) == 2 else len(classes)
        return EncodedTargets(numbers, weights, n_outputs, None, "log_loss", classes)

    def _multilabel_targets(
        self, y: NDArray[Any], sample_weight: Any, request: FitRequest
    ) -> EncodedTargets:
        if self.class_weight is not None:
            raise ValueError(
                "class_weight is not supported where a row can have several labels; use "
                "sample_weight"
            )
        columns = np.arange(y.shape[1])
        check_same_classes(request.classes, columns)
        return EncodedTargets(y, sample_weight, len(columns), "logistic", "log_loss", columns)

    def _validation_targets(
        self, y: Any, sample_weight: Any, encoded: EncodedTargets
    ) -> EncodedTargets:
        y, is_indicator = checked_labels(y)
        if is_indicator != _is_multilabel(encoded) or (
            is_indicator and y.shape[1] != encoded.n_outputs
        ):
            raise ValueError(f"y_val has shape {y.shape}, which does not go with y")
        if is_indicator:
            return dataclasses.replace(encoded, targets=y, sample_weight=sample_weight)
        assert encoded.classes is not None  # a classifier has some
        numbers = class_numbers(y, encoded.classes, "y_val")
        weights = weights_with_classes(sample_weight, self.class_weight, numbers, encoded.classes)
        return dataclasses.replace(encoded, targets=numbers, sample_weight=weights)

    def _score_of(self, encoded: EncodedTargets) -> Score:
        """Return what makes the accuracy: whether each row is right, and the weighted mean."""

        def right(outputs: NDArray[Any], first: int) -> NDArray[np.bool_]:
            targets = encoded.targets[first : first + len(outputs)]
            if _is_multilabel(encoded):
                return np.asarray(((outputs > 0.5) == (targets > 0.5)).all(axis=1))
            if outputs.shape[1] == 1:
                return np.asarray((outputs[:, 0] > 0.5) == targets)
            return np.asarray(outputs.argmax(axis=1) == targets)

        return Score(right, lambda each: float(np.average(each, weights=encoded.sample_weight)))

    def _classes_to_divide(self, encoded: EncodedTargets) -> NDArray[np.intp] | None:
        return None if _is_multilabel(encoded) else encoded.targets


def _is_multilabel(encoded: EncodedTargets) -> bool:
    return encoded.out_activation == "logistic"  # which is named for several labels only
