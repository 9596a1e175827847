"""Notify scikit-learn's callbacks of a fit: its beginning, every epoch, its end.

scikit-learn has callbacks since 1.9 (`sklearn.callback`: ProgressBar, ScoringMonitor). With an
older one estimators cannot be given any, and all of this does nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

try:
    from sklearn import callback as _of_scikit_learn
except ImportError:
    _of_scikit_learn = None


class _NoCallbacks:
    """What an estimator inherits where scikit-learn has no callbacks."""


def _as_it_is(method: Callable[..., Any]) -> Callable[..., Any]:
    return method


# A class whose instances have `set_callbacks`, as GridSearchCV looks for it to pass its own on.
CallbackSupport: Any = getattr(_of_scikit_learn, "CallbackSupportMixin", _NoCallbacks)
# A decorator of `fit`: whatever way it ends, the callbacks that it has set up are torn down.
with_callbacks: Callable[..., Any] = getattr(_of_scikit_learn, "with_callbacks", _as_it_is)


class CallbackNotifier:
    """Notifies the callbacks of one fit of its epochs; without callbacks it does nothing.

    Parameters
    ----------
    fit : sklearn.callback.CallbackContext or None
        The task of which every epoch is a part.
    callback_kwargs : dict
        Arguments of the hooks, by name.

    Attributes
    ----------
    is_stopped : bool
        Whether one of them has asked to stop training.
    """

    def __init__(self, fit: Any = None, callback_kwargs: dict[str, Any] | None = None) -> None:
        self._fit, self._callback_kwargs = fit, callback_kwargs or {}
        self._epoch: Any = None
        self.is_stopped = False

    @property
    def are_followed(self) -> bool:
        """Whether there are callbacks."""
        return self._fit is not None

    def begin(self) -> None:
        """Tell the callbacks that an epoch begins."""
        if self._fit is not None:
            self._epoch = self._fit.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(**self._callback_kwargs)

    def end(self) -> bool:
        """Tell them that it has ended; return whether one of them asks to stop training."""
        if self._epoch is not None and self._epoch.call_on_fit_task_end(**self._callback_kwargs):
            self.is_stopped = True
        return self.is_stopped


@contextlib.contextmanager
def notified_fit(
    estimator: Any,
    max_epochs: int,
    fitted: Callable[[], dict[str, Any]],
    X: Any,
    y: Any,
    sample_weight: Any = None,
) -> Iterator[CallbackNotifier]:
    """Tell the callbacks of an estimator that its fit begins and, unless it fails, that it ended.

    Parameters
    ----------
    estimator : CallbackSupport
        Its `fit` must be decorated, by `with_callbacks` or scikit-learn's own ``_fit_context``.
    max_epochs : int
        Most epochs that may follow.
    fitted : callable
        Returns the attributes, by name, that make a shallow copy of the estimator one whose fit
        stopped here: copies of all that further training changes in place. Called only for
        callbacks that ask for a fitted estimator.
    X, y, sample_weight
        Data as a user would give it to `score`; or functions without arguments that return it.

    Yields
    ------
    CallbackNotifier
        To notify when an epoch begins and ends.
    """
    if not getattr(estimator, "_skl_callbacks", None):
        yield CallbackNotifier()
        return
    callback_kwargs = {
        "estimator": estimator,
        "X": X,
        "y": y,
        "metadata": None if sample_weight is None else {"sample_weight": sample_weight},
        "reconstruction_attributes": fitted,
    }
    fit = estimator._init_callback_context(max_subtasks=max_epochs)
    fit.call_on_fit_task_begin(**callback_kwargs)
    yield CallbackNotifier(fit, callback_kwargs)
    fit.call_on_fit_task_end(**callback_kwargs)
