"""scikit-learn's `MLPClassifier` and `MLPRegressor`, with the engine inside.

Each is a subclass of scikit-learn's own, with the epochs and the forward pass inside replaced: the
same parameters, attributes, messages and, from the same ``random_state``, the same model.
"""

from __future__ import annotations

import contextvars
import dataclasses
import warnings
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning, InconsistentVersionWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing, gen_batches
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import _core
from ..estimators.callbacks import CallbackNotifier, CallbackSupport, notified_fit
from ..estimators.csr import to_csr_if_sparse
from ..network.exportable import ExportableEstimator
from ..network.sparse import with_private_indices
from . import sklearn_internals
from .fallback import reason_for_fallback
from .mirror import Mirror, outputs
from .sklearn_internals import calls
from .solver import FLOATS

__all__ = ["MLPClassifier", "MLPRegressor", "calls"]

# The epochs of the fit that is under way, for its callbacks.
NOTIFIER: contextvars.ContextVar[CallbackNotifier] = contextvars.ContextVar("epochs")
IS_KNOWN = sklearn_internals.is_as_known()
# With fewer to predict, scikit-learn's own products are done before the network stands ready.
FEW_TO_PREDICT = 1000
FEW_ROWS = 100  # for which scikit-learn's checks take longer than training


@dataclasses.dataclass
class Data:
    """Rows to train on, or to hold out: X, y and sample_weight as scikit-learn has checked them."""

    X: Any
    y: NDArray[Any]
    sample_weight: NDArray[Any] | None

    def batch(self, rows: Any) -> tuple[Any, Any, Any]:
        """Return some of the rows: numbers of rows in an array, or a slice."""
        X = self.X[rows] if isinstance(rows, slice) else _safe_indexing(self.X, rows)
        weights = None if self.sample_weight is None else self.sample_weight[rows]
        return X, self.y[rows], weights


class FastTraining(CallbackSupport, ExportableEstimator):
    """What the classifier and the regressor replace of scikit-learn's: epochs and predictions."""

    _doc_link_module = "fastbp"
    _no_improvement_count: int

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        return {
            "estimator_module": "sklearn.neural_network",
            "estimator_name": type(self).__name__,
        }

    # -- training ----------------------------------------------------------------------------

    def _fit(self, X: Any, y: Any, *args: Any, **options: Any) -> Any:
        """Train by fit, which notifies callbacks, or by partial_fit."""
        X = _with_valid_indices(X)
        if options.get("incremental"):
            return super()._fit(X, y, *args, **options)
        weights = options.get("sample_weight")
        with notified_fit(self, self.max_iter, self._as_stopped, X, y, weights) as notifier:
            token = NOTIFIER.set(notifier)
            try:
                return super()._fit(X, y, *args, **options)
            finally:
                NOTIFIER.reset(token)

    def _validate_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> Any:
        """Return X and y as training takes them; at once where a look shows that they are."""
        if incremental and not reset and _is_plain(self, X):
            targets = self._plain_targets(X, y)
            if targets is not None:
                return X, targets
        return super()._validate_input(X, y, incremental, reset)

    def _plain_targets(self, X: Any, y: Any) -> Any:
        """Return the y of a few rows as training takes it, or None where it needs a closer look."""
        raise NotImplementedError

    def _as_stopped(self) -> dict[str, Any]:
        """Return copies of the parameters that fit would leave if it stopped here."""
        best = self.early_stopping and self.solver != "lbfgs"
        coefs = self._best_coefs if best else self.coefs_
        intercepts = self._best_intercepts if best else self.intercepts_
        return {
            "coefs_": [np.array(W) for W in coefs],
            "intercepts_": [np.array(b) for b in intercepts],
        }

    def _fit_stochastic(self, *args: Any, **kwargs: Any) -> None:
        """Train by SGD or Adam: in compiled code, or by scikit-learn's own where that cannot be."""
        if not IS_KNOWN:
            calls["scikit-learn has changed inside"] += 1
            warnings.warn(
                f"fastbp does not know scikit-learn {sklearn.__version__} from inside: training "
                "is left to scikit-learn's own code. Results are right, but not fast.",
                stacklevel=2,
            )
            super()._fit_stochastic(*args, **kwargs)
            return
        arguments = sklearn_internals.Arguments.of(*args, **kwargs)
        optimizer = self.__dict__.get("_optimizer")
        if not arguments.incremental or optimizer is None:
            self._optimizer = self._new_optimizer()
        reason = reason_for_fallback(self, arguments.X, arguments.y, arguments.sample_weight)
        calls[reason or "fast"] += 1
        if reason is None:
            self._train(arguments)
        else:
            super()._fit_stochastic(*args, **kwargs)

    def _fit_lbfgs(self, *args: Any, **kwargs: Any) -> None:
        """Train by L-BFGS, which is scikit-learn's own."""
        calls["solver is lbfgs"] += 1
        super()._fit_lbfgs(*args, **kwargs)

    def _new_optimizer(self) -> Any:
        """Return scikit-learn's own, which keeps the state of the solver between calls."""
        parameters = self.coefs_ + self.intercepts_
        if self.solver == "adam":
            return sklearn_internals.AdamOptimizer(
                parameters, self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon
            )
        return sklearn_internals.SGDOptimizer(
            parameters,
            self.learning_rate_init,
            self.learning_rate,
            self.momentum,
            self.nesterovs_momentum,
            self.power_t,
        )

    def _train(self, arguments: sklearn_internals.Arguments) -> None:
        """Run the epochs of one call of fit, or the one of partial_fit."""
        if self.early_stopping and arguments.incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        data, held_out = self._split(Data(arguments.X, arguments.y, arguments.sample_weight))
        batch_size = self._rows_a_step(data.X.shape[0])
        notifier = CallbackNotifier() if arguments.incremental else NOTIFIER.get(CallbackNotifier())
        mirror: Mirror | None = None
        try:
            mirror = self._mirror(arguments, data, int(batch_size), notifier)
            try:
                self._run_epochs(arguments, data, held_out, batch_size, notifier, mirror)
            finally:
                if mirror is not None:
                    mirror.write_back()
        except KeyboardInterrupt:
            if mirror is not None:  # another one may have kept it from that
                mirror.write_back()
            sklearn_internals.warn("Training interrupted by user.")
        if self.early_stopping:
            self.coefs_ = self._best_coefs
            self.intercepts_ = self._best_intercepts

    def _split(self, data: Data) -> tuple[Data, tuple[Any, Any, Any]]:
        """Return the rows to train on, and with early stopping those held out: X, y, weights."""
        if not self.early_stopping:
            return data, (None, None, None)
        weights = [] if data.sample_weight is None else [data.sample_weight]
        parts = train_test_split(
            data.X,
            data.y,
            *weights,
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=data.y if is_classifier(self) and self.n_outputs_ == 1 else None,
        )
        X, X_val, y, y_val, weights, weights_val = [*parts, None, None][:6]
        if sklearn_internals.REFUSES_SMALL_VALIDATION and X_val.shape[0] < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset."
            )
        if is_classifier(self):
            y_val = self._label_binarizer.inverse_transform(y_val)
        return Data(X, y, weights), (X_val, y_val, weights_val)

    def _rows_a_step(self, n_rows: int) -> Any:
        """Return the size of a batch: of the type, too, that scikit-learn makes it."""
        if self.batch_size == "auto":
            return min(200, n_rows)
        if self.batch_size > n_rows:
            sklearn_internals.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped"
            )
        return np.clip(self.batch_size, 1, n_rows)

    def _mirror(
        self,
        arguments: sklearn_internals.Arguments,
        data: Data,
        batch_size: int,
        notifier: CallbackNotifier,
    ) -> Mirror | None:
        """Return the mirror that trains in the model's place, if rows have any weight."""
        if data.sample_weight is not None and not data.sample_weight.any():
            return None
        has_hook = type(self) not in OWN or "_update_no_improvement_count" in self.__dict__
        # With no best loss, left by a call with early stopping, scikit-learn's count raises.
        raises = not self.early_stopping and getattr(self, "best_loss_", None) is None
        is_observed = self.early_stopping or notifier.are_followed or has_hook or raises
        X = data.X
        if batch_size > 1 and not (arguments.incremental or issparse(X)):
            X = to_csr_if_sparse(X)
        return Mirror(self, X, data.y, data.sample_weight, batch_size, is_observed)

    def _run_epochs(
        self,
        arguments: sklearn_internals.Arguments,
        data: Data,
        held_out: tuple[Any, Any, Any],
        batch_size: Any,
        notifier: CallbackNotifier,
        mirror: Mirror | None,
    ) -> None:
        """Train epoch by epoch, until the model converges or a callback stops it."""
        n_rows = data.X.shape[0]
        order = np.arange(n_rows)
        parameters = self.coefs_ + self.intercepts_  # which are changed, whatever takes their place
        reported = self._type_of_loss(data, batch_size)
        self.n_iter_ = 0
        left = self.max_iter
        while left > 0:
            notifier.begin()
            losses: list[Any] = self._run_together(arguments, mirror, order, left)
            if not losses:
                if self.shuffle:
                    _core.shuffle(order, self._random_state)  # on from where the last epoch left it
                loss = None if mirror is None else mirror.run_epoch(order)
                if loss is None:  # from here on, as long as this call lasts
                    calls["an epoch out of the ordinary"] += mirror is not None
                    mirror = None
                    loss = self._run_plain_epoch(arguments, parameters, data, order, batch_size)
                losses = [loss]
            left -= len(losses)
            if mirror is not None:
                losses = [reported(loss) for loss in losses]
            enough = self._note(losses, n_rows, held_out)
            if notifier.end() or enough or arguments.incremental:
                if mirror is not None:
                    mirror.cache()
                return
        sklearn_internals.warn(
            f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
            "optimization hasn't converged yet.",
            ConvergenceWarning,
        )

    def _run_together(
        self,
        arguments: sklearn_internals.Arguments,
        mirror: Mirror | None,
        order: NDArray[np.int64],
        max_epochs: int,
    ) -> list[float]:
        """Run epochs that are short at once, as many as surely take place; return their losses."""
        if mirror is None or arguments.incremental or self.verbose:
            return []
        surely = min(max_epochs, self.n_iter_no_change - self._no_improvement_count + 1)
        return mirror.run_epochs(order, self._random_state if self.shuffle else None, surely)

    def _note(self, losses: list[Any], n_rows: int, held_out: tuple[Any, Any, Any]) -> bool:
        """Note epochs that have been made, despite Ctrl-C; return whether training should end."""
        left, enough = losses[::-1], False
        interruption: KeyboardInterrupt | None = None
        while left:
            try:
                self._note_epoch(left.pop(), n_rows, held_out)
                enough = self._should_stop()
            except KeyboardInterrupt as another:
                interruption = another
        if interruption is not None:
            raise interruption
        return enough

    def _note_epoch(self, loss: Any, n_rows: int, held_out: tuple[Any, Any, Any]) -> None:
        self.n_iter_ += 1
        self.loss_ = loss
        self.t_ += n_rows
        self.loss_curve_.append(loss)
        if self.verbose:
            print(f"Iteration {self.n_iter_}, loss = {loss:.8f}")
        sklearn_internals.update_no_improvement_count(self, self.early_stopping, held_out)
        self._optimizer.iteration_ends(self.t_)

    def _should_stop(self) -> bool:
        """Whether training should end; if not, its rate may have been lowered for a new try."""
        if self._no_improvement_count <= self.n_iter_no_change:
            return False
        subject = "Validation score" if self.early_stopping else "Training loss"
        message = (
            f"{subject} did not improve more than tol={self.tol:f} for "
            f"{self.n_iter_no_change:d} consecutive epochs."
        )
        if self._optimizer.trigger_stopping(message, self.verbose):
            return True
        self._no_improvement_count = 0
        return False

    def _run_plain_epoch(
        self,
        arguments: sklearn_internals.Arguments,
        parameters: list[NDArray[Any]],
        data: Data,
        order: NDArray[np.int64],
        batch_size: Any,
    ) -> Any:
        """Run an epoch by scikit-learn's own arithmetic; return its loss."""
        loss_sum = 0.0
        for batch in gen_batches(len(order), batch_size):
            X, y, sample_weight = data.batch(order[batch] if self.shuffle else batch)
            loss, *gradients = arguments.gradients(self, X, y, sample_weight)
            loss_sum += loss * (batch.stop - batch.start)
            self._optimizer.update_params(parameters, gradients[0] + gradients[1])
        return loss_sum / len(order)

    def _type_of_loss(self, data: Data, batch_size: Any) -> type:
        """Return the type that scikit-learn's arithmetic gives the loss of an epoch.

        With float32 data it depends on the types of everything that is multiplied.
        """
        if self.coefs_[0].dtype == np.float64:
            return np.float64
        a = np.full((1, self.n_outputs_), 0.5, self.coefs_[0].dtype)
        weights = None if data.sample_weight is None else np.ones(1, data.sample_weight.dtype)
        loss = sklearn_internals.loss_of(self, data.y[:1], a, weights) + 0.5 * self.alpha * a[0, 0]
        return type(0.0 + loss * batch_size)

    def _check_is_fitted(self) -> None:
        check_is_fitted(self)

    # -- predictions -------------------------------------------------------------------------

    def _forward_pass_fast(self, X: Any, check_input: bool = True) -> NDArray[Any]:
        """Return the activations of the output layer, (n, n_outputs)."""
        if check_input:
            X = _with_valid_indices(X)
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        if X.shape[0] < FEW_TO_PREDICT:
            few: NDArray[Any] = super()._forward_pass_fast(X, check_input=False)
            return few
        is_checked = check_input and not sklearn.get_config()["assume_finite"]
        found = outputs(self, X, may_be_infinite=not is_checked)
        if isinstance(found, str):
            calls[found] += 1
            plain: NDArray[Any] = super()._forward_pass_fast(X, check_input=False)
            return plain
        calls["fast"] += 1
        return found

    # -- pickling ----------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Note the version of scikit-learn, as its own estimators do."""
        return {**super().__getstate__(), "_sklearn_version": sklearn.__version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        version = state.pop("_sklearn_version", "pre-0.18")
        if version != sklearn.__version__:
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__,
                    current_sklearn_version=sklearn.__version__,
                    original_sklearn_version=version,
                ),
                stacklevel=2,
            )
        super().__setstate__(state)


def _is_plain(model: Any, X: Any) -> bool:
    """Whether scikit-learn's checks would return a few rows for a fitted model unchanged."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and 0 < len(X) <= FEW_ROWS
        and X.dtype in FLOATS
        and X.shape[1] == model.__dict__.get("n_features_in_")
        and "feature_names_in_" not in model.__dict__
        and bool(np.isfinite(X).all())
    )


def _with_valid_indices(X: Any) -> Any:
    """Refuse a damaged sparse matrix, whose indices scikit-learn and SciPy follow unchecked."""
    return with_private_indices(X) if issparse(X) else X


def described(kind: Any) -> Any:
    """Give a class the description of scikit-learn's own, with a word on what is different."""
    summary, _, rest = _sklearn_class(kind).__doc__.partition("\n\n")
    kind.__doc__ = (
        f"{summary}\n\n"
        "    As scikit-learn's own, of which this is a subclass, but training and\n"
        "    predictions run in compiled code. Parameters, attributes and, from the same\n"
        "    ``random_state``, the model are the same.\n\n"
        f"{rest.replace('sklearn.neural_network import', 'fastbp.neural_network import')}"
    )
    return kind


def _sklearn_class(kind: Any) -> Any:
    return getattr(sklearn_internals, kind.__name__)


@described
class MLPClassifier(FastTraining, sklearn_internals.MLPClassifier):
    """scikit-learn's MLPClassifier: see `described`."""

    def _plain_targets(self, X: Any, y: Any) -> Any:
        classes, kind = self.classes_, self._label_binarizer.y_type_
        if type(y) is not np.ndarray or y.shape != (len(X),) or y.dtype.kind != classes.dtype.kind:
            return None
        if self.warm_start or kind != ("binary" if len(classes) == 2 else "multiclass"):
            return None
        is_class = y[:, np.newaxis] == classes
        if not is_class.any(axis=1).all():  # which scikit-learn has a message for
            return None
        return is_class[:, 1:] if kind == "binary" else is_class


@described
class MLPRegressor(FastTraining, sklearn_internals.MLPRegressor):
    """scikit-learn's MLPRegressor: see `described`."""

    def _plain_targets(self, X: Any, y: Any) -> Any:
        if type(y) is not np.ndarray or y.shape != (len(X),) or y.dtype.kind not in "fiu":
            return None
        return y if self.n_outputs_ == 1 and np.isfinite(y).all() else None


# Not those of others, which may look at the model, or change it, between epochs.
OWN = (MLPClassifier, MLPRegressor)
