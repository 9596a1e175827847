"""`Checkpoint` and `resume`: training that goes on after its process was killed."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import errno
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from .._messages import level_of_caller
from .._printable import printable, shortened
from .._version import __version__
from ..network.checks import check_flag, check_number
from ..network.generators import generator_of, generator_to_dict
from ..network.pauses import Pauses, Tree, next_due
from .container import UnreadableFileError, head_of
from .fields import Fields
from .files import check_writable, is_regular_file, is_same_file, write_file
from .fingerprint import Fingerprint
from .models import CHECKPOINT, checked_tree_of, model_of, read_file, refuse_checkpoint_of_dask
from .of_parameters import parameters_of, parameters_tree
from .tree import pack, undecoded, unpack

if TYPE_CHECKING:
    from ..estimators.base import Backprop
    from ..estimators.prepared import TrainingData

FORMAT = 2  # raised when older files can no longer be read
HEADER = ("class_of_model", "parameters", "random", "start")
MODELS = ("BackpropClassifier", "BackpropRegressor")


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Where and how often a fit is saved, for `resume` to go on from.

    The file is replaced at once by one that is complete: whenever the process is killed, or the
    disk is full, it is readable. It is written after the first tenth of a second or so, at
    intervals, and at the end.

    Parameters
    ----------
    path : str or path-like
        Usually ends in ".fbp".
    every : float, default=30
        Seconds between two. More where writing takes long: it takes at most 1 % of the time.
    on_sigterm : bool, default=True
        Whether SIGTERM, by which clusters end a process, has one written before it does what it
        does otherwise. So has Ctrl-C, always. Both only in a fit that the main thread runs.

    See Also
    --------
    resume : Go on.

    Examples
    --------
    >>> import tempfile
    >>> import fastbp
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = fastbp.BackpropClassifier(random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/run.fbp"
    ...     model = model.fit(X, y, checkpoint=fastbp.Checkpoint(path, every=60))
    ...     resumed = fastbp.resume(path, X, y)  # which has come to its end
    >>> bool((resumed.predict_proba(X) == model.predict_proba(X)).all())
    True
    """

    path: Any
    every: float = 30.0
    on_sigterm: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", os.fspath(self.path))
        check_number("every", self.every, at_least=0)
        check_flag("on_sigterm", self.on_sigterm)


def resume(
    path: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    X_val: Any = None,
    y_val: Any = None,
    sample_weight_val: Any = None,
    checkpoint: Any = None,
) -> Any:
    """Go on with a fit where its last checkpoint was written; return the fitted estimator.

    It ends with the same bits as a fit that was never stopped: weights, history (but for seconds),
    predictions, and the generator of further training. On another processor it ends with the same
    to rounding.

    Parameters
    ----------
    path : str or path-like
        Of the checkpoint. If training had ended, the fitted estimator is returned.
    X, y, sample_weight, X_val, y_val, sample_weight_val
        The arguments of `fit`.
    checkpoint : str, path-like or Checkpoint, default=None
        Where to write further checkpoints, the first of them at once. None goes on as before, to
        the same file.

    Returns
    -------
    BackpropClassifier or BackpropRegressor
        Fitted. Its ``random_state`` is that of the estimator whose training is resumed; where that
        was None, the generator continues as one of its own.

    Raises
    ------
    OSError
        If the file cannot be read, or ``checkpoint`` not be written or replaced.
    ValueError
        If it is no checkpoint, a damaged one, or one of another version of fastbp; or if the data
        are not those of the training.

    See Also
    --------
    Checkpoint : How often one is written.
    """
    name = os.fsdecode(path)
    try:
        saved = _fields_of(name)
        model, random_state = _model_at_start(saved)
        model._check_parameters(incremental=False)
        training = saved.fields("training").tree
        fingerprint = Fingerprint.from_dict(saved.fields("data"))
        own = Checkpoint(path, saved.number("every"), saved.flag("on_sigterm"))
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"cannot read {printable(name)}: {error}") from error
    where = own if checkpoint is None else _checkpoint_of(checkpoint)
    goes_elsewhere = not is_same_file(where.path, path)
    if goes_elsewhere:
        _check_free(where.path)
    header = {name: copy.deepcopy(saved.value(name)) for name in HEADER}  # not views of the file
    keeper = Keeper(where, header, training, fingerprint, goes_elsewhere)
    del saved, training  # and with it the memory of the file, as soon as training has taken it
    from ..estimators.holdout import explicit_validation_set

    held_out = explicit_validation_set(X_val, y_val, sample_weight_val)
    try:
        model._fit(X, y, sample_weight, held_out, keeper)
    finally:
        model.random_state = random_state
    return model


def keeper_of(model: Backprop, checkpoint: Any) -> Keeper:
    """Return what writes the checkpoints of a fit that is about to begin.

    Raises
    ------
    TypeError, ValueError, OSError
        If the fit cannot be saved, or not there.
    """
    from ..training.epochs import EPOCH_HOOK

    checkpoint = _checkpoint_of(checkpoint)
    name = type(model).__name__
    if name not in MODELS or not type(model).__module__.startswith("fastbp."):
        raise TypeError(f"checkpoint is for {' and '.join(MODELS)}, not for their subclass {name}")
    if hasattr(model, "_skl_callbacks"):
        raise ValueError(
            "A fit with callbacks cannot have a checkpoint, which does not hold them: leave one of "
            "the two out"
        )
    if EPOCH_HOOK.get() is not None:
        raise ValueError("fastbp.record cannot record a fit with a checkpoint: leave one out")
    _check_free(checkpoint.path)
    return Keeper(checkpoint, _header_of(model))


def _check_free(path: Any) -> None:
    """Refuse a path where nothing can be written, or what is there would be missed.

    Raises
    ------
    FileExistsError
        For a checkpoint of training that has not ended, and a file that is no checkpoint.
    OSError, ValueError
        As `check_writable` does.
    """
    check_writable(path)
    if not is_regular_file(path) or not os.path.getsize(path):
        return
    name = os.fsdecode(path)
    try:
        saved = _fields_of_checkpoint(undecoded(read_file(name, head_of)))
        has_ended = _has_ended(saved.fields("training").tree)
    except UnreadableFileError:
        raise FileExistsError(
            errno.EEXIST,
            f"{printable(name)} is there and is no checkpoint, which alone a checkpoint replaces: "
            "choose another path, or delete it first",
        ) from None
    if not has_ended:
        raise FileExistsError(
            errno.EEXIST,
            f"{printable(name)} is the checkpoint of a fit that has not ended: fastbp.resume goes "
            "on from it; to begin anew, delete it first",
        )


def _has_ended(training: Tree) -> bool:
    """Return whether a checkpoint is the last of its training."""
    own = training.get("training")
    return type(own) is dict and (own.get("phase") == "over" or own.get("is_over") is True)


def _header_of(model: Backprop) -> dict[str, Any]:
    """Return what a fit begins with: parameters, a generator, and the model of a warm start."""
    is_warm = model.warm_start and hasattr(model, "network_")
    random = None
    if model.random_state is None and not is_warm:
        from sklearn.utils import check_random_state

        random = generator_to_dict(check_random_state(None))
    return {
        "class_of_model": type(model).__name__,
        "parameters": parameters_tree(model, model._get_param_names()),
        "random": random,
        "start": checked_tree_of(model) if is_warm else None,
    }


def _checkpoint_of(value: Any) -> Checkpoint:
    """Return the argument ``checkpoint`` of a fit as what it stands for."""
    if isinstance(value, Checkpoint):
        return value
    if isinstance(value, (str, os.PathLike)):
        return Checkpoint(value)
    raise TypeError(
        "checkpoint must be a path, such as 'run.fbp', or a fastbp.Checkpoint; got an object of "
        f"type {type(value).__name__}"
    )


def _fields_of(name: str) -> Fields:
    """Return the content of the file of a checkpoint of this version."""
    fields = _fields_of_checkpoint(unpack(read_file(name)))
    if fields.whole("format") != FORMAT:
        raise UnreadableFileError(
            f"it is a checkpoint of format {fields.whole('format')}, and this version of fastbp "
            f"reads format {FORMAT}"
        )
    if fields.text("version") != __version__:
        raise UnreadableFileError(
            f"it is a checkpoint of fastbp {shortened(printable(fields.text('version')), 40)}, and "
            f"this is fastbp {__version__}, whose training may differ: go on with that version"
        )
    return fields


def _fields_of_checkpoint(tree: Any) -> Fields:
    """Return the content of a checkpoint, and refuse that of another file."""
    fields = Fields(tree)
    refuse_checkpoint_of_dask(fields)
    if fields.tree.get("class") != CHECKPOINT:
        raise UnreadableFileError("it is no checkpoint; fastbp.load reads models")
    return fields


def _model_at_start(saved: Fields) -> tuple[Any, Any]:
    """Return the estimator as it was when the fit began, and its ``random_state``."""
    if saved.value("start") is not None:
        model = model_of(dict(saved.fields("start").tree))
        return model, model.random_state
    from .. import estimators

    kind = getattr(estimators, saved.text("class_of_model", MODELS))
    model = kind(**parameters_of(saved.fields("parameters"), kind._get_param_names()))
    random_state = model.random_state
    if saved.value("random") is not None:
        model.random_state = generator_of(saved.value("random"))
    return model, random_state


class Keeper:
    """Writes the checkpoints of one fit.

    Parameters
    ----------
    checkpoint : Checkpoint
    header : dict
        What the fit began with.
    training : dict, default=None
        What training had come to, where it is resumed.
    fingerprint : Fingerprint, default=None
        Of the data that were trained on.
    goes_elsewhere : bool, default=False
        Whether training was saved to another file until now.

    Attributes
    ----------
    pauses : Pauses
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        header: dict[str, Any],
        training: Tree | None = None,
        fingerprint: Fingerprint | None = None,
        goes_elsewhere: bool = False,
    ) -> None:
        self._checkpoint, self._header, self._fingerprint = checkpoint, header, fingerprint
        self._path = os.path.abspath(checkpoint.path)  # wherever the process goes meanwhile
        self._may_fail = training is not None and not goes_elsewhere  # with one to go on from
        self._to_copy = training if goes_elsewhere else None
        self._failure: OSError | MemoryError | None = None
        self._signals: dict[int, Any] = {}
        self._pending: int | None = None
        self._n_interrupts = 0
        self.pauses = Pauses(self._save, training)

    def check(self, model: Backprop, data: TrainingData) -> None:
        """Note which data are trained on; refuse others than those of the checkpoint."""
        found = Fingerprint.of(model, data)
        if self._fingerprint is not None:
            self._fingerprint.check(found)
        self._fingerprint = found
        if self._to_copy is not None:
            self._save(self._to_copy)
            self._to_copy = None

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Return the context of the training: signals wait for the end of a piece of work."""
        self._catch_signals()
        self.pauses.due = time.monotonic() + (self._checkpoint.every if self._may_fail else 0)
        try:
            yield
        finally:
            self._release_signals()
            self._deliver()

    def _save(self, training: Tree) -> float:
        begin = time.monotonic()
        assert self._fingerprint is not None
        tree = {
            "class": CHECKPOINT,
            "format": FORMAT,
            "version": __version__,
            "every": float(self._checkpoint.every),
            "on_sigterm": bool(self._checkpoint.on_sigterm),
            **self._header,
            "data": self._fingerprint.to_dict(),
            "training": training,
        }
        try:
            write_file(self._path, pack(tree))
        except (OSError, MemoryError) as error:
            if not self._may_fail:
                raise
            try:
                _warn_of_failure(error)
            except RuntimeWarning:  # where warnings are errors: once training has ended
                self._failure = error
        self._may_fail = True
        self._deliver()
        return next_due(begin, self._checkpoint.every)

    def warn_again(self) -> None:
        """Warn of a checkpoint that could not be written, where that would have ended training."""
        if self._failure is not None:
            _warn_of_failure(self._failure)

    # -- signals -------------------------------------------------------------------------------

    def _catch_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        numbers = [signal.SIGINT, *([signal.SIGTERM] if self._checkpoint.on_sigterm else [])]
        for number in numbers:
            handler = signal.getsignal(number)
            if handler is None or handler is signal.SIG_IGN:  # one of C, or none
                continue
            with contextlib.suppress(ValueError):  # in an interpreter that is not the main one
                signal.signal(number, self._on_signal)
                self._signals[number] = handler

    def _release_signals(self) -> None:
        for number, handler in self._signals.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Let training save itself soon; of two Ctrl-C the second is of somebody who will not wait.

        SIGTERM may come twice, of a scheduler and of a shell.
        """
        self.pauses.is_asked = True
        if self._pending != signal.SIGTERM:
            self._pending = number
        if number == signal.SIGINT:
            self._n_interrupts += 1
            if self._n_interrupts > 1:
                self._pending = number
                self._deliver(frame)

    def _deliver(self, frame: FrameType | None = None) -> None:
        """Let a signal that was kept waiting do what it does otherwise."""
        number, self._pending = self._pending, None
        self._n_interrupts = 0
        if number is None:
            return
        handler = self._signals[number]
        if callable(handler):
            handler(number, frame)
            return
        signal.signal(number, handler)
        signal.raise_signal(number)


def _warn_of_failure(error: OSError | MemoryError) -> None:
    what = "There was no memory to write a checkpoint"
    if isinstance(error, OSError):
        what = str(error.strerror)
    warnings.warn(
        f"{what}. Training goes on, and the checkpoint before is kept; the next is tried when it "
        "is due.",
        RuntimeWarning,
        stacklevel=level_of_caller(),
    )
