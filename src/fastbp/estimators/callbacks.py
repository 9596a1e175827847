"""What scikit-learn's callbacks are told of a fit: that it begins, every epoch of it, that it ends.

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


class Epochs:
    """The epochs of one fit, as its callbacks are told of them; of nobody, they are told nothing.

    Parameters
    ----------
    fit : sklearn.callback.CallbackContext or None
        The task of which every epoch is a part.
    told : dict
        What callbacks may ask for, under the names of the hooks' arguments.

    Attributes
    ----------
    is_stopped : bool
        Whether one of them has asked to stop training.
    """

    def __init__(self, fit: Any = None, told: dict[str, Any] | None = None) -> None:
        self._fit, self._told = fit, told or {}
        self._epoch: Any = None
        self.is_stopped = False

    @property
    def are_followed(self) -> bool:
        """Whether there is anybody to tell."""
        return self._fit is not None

    def begin(self) -> None:
        """Tell the callbacks that an epoch begins."""
        if self._fit is not None:
            self._epoch = self._fit.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(**self._told)

    def end(self) -> bool:
        """Tell them that it has ended; return whether one of them asks to stop training."""
        if self._epoch is not None and self._epoch.call_on_fit_task_end(**self._told):
            self.is_stopped = True
        return self.is_stopped


@contextlib.contextmanager
def announced_fit(
    estimator: Any,
    max_epochs: int,
    fitted: Callable[[], dict[str, Any]],
    X: Any,
    y: Any,
    sample_weight: Any = None,
) -> Iterator[Epochs]:
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
    Epochs
        To be told when an epoch begins and ends.
    """
    if not getattr(estimator, "_skl_callbacks", None):
        yield Epochs()
        return
    told = {
        "estimator": estimator,
        "X": X,
        "y": y,
        "metadata": None if sample_weight is None else {"sample_weight": sample_weight},
        "reconstruction_attributes": fitted,
    }
    fit = estimator._init_callback_context(max_subtasks=max_epochs)
    fit.call_on_fit_task_begin(**told)
    yield Epochs(fit, told)
    fit.call_on_fit_task_end(**told)
