"""`save` and `load`: models as files, one table of what may be in them, and nothing run."""

from __future__ import annotations

import dataclasses
import errno
import importlib
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .._printable import printable, shortened
from .container import UnreadableFileError
from .fields import Fields
from .tree import pack, unpack

if TYPE_CHECKING:
    from pathlib import Path

CHECKPOINT = "Checkpoint"  # as files call those of `fastbp.Checkpoint`
DASK = "fastbp.dask fit"  # and those of `fastbp.dask`, as their kind
ADVICE = (
    "fastbp.save takes networks, BackpropClassifier, BackpropRegressor, the models of "
    "fastbp.online, recordings, and pipelines of scikit-learn that end in one of these"
)
CONVERSIONS = {
    f"MLP{kind}": f"fastbp.Backprop{kind}.from_sklearn(model) makes a model of it that can be"
    for kind in ("Classifier", "Regressor")
}


@dataclasses.dataclass(frozen=True)
class Kind:
    """A class that files hold.

    Attributes
    ----------
    name : str
        As files call it.
    home : str
        The module of the class.
    codec : str
        The module of this package with ``to_tree(model)`` and ``from_tree(fields, name)``.
    """

    name: str
    home: str
    codec: str


KINDS = (
    Kind("Network", "fastbp.network.network", "of_networks"),
    Kind("StoredNetwork", "fastbp.network.stored", "of_networks"),
    Kind("BackpropClassifier", "fastbp.estimators.classifier", "of_estimators"),
    Kind("BackpropRegressor", "fastbp.estimators.regressor", "of_estimators"),
    Kind("OnlineClassifier", "fastbp.online.classifier", "of_streams"),
    Kind("OnlineRegressor", "fastbp.online.regressor", "of_streams"),
    Kind("Recording", "fastbp.recording.recording", "of_recordings"),
    Kind("Pipeline", "sklearn.pipeline", "of_pipelines"),
)
BY_NAME = {kind.name: kind for kind in KINDS}
BY_CLASS = {(kind.home, kind.name): kind for kind in KINDS}


def save(model: Any, path: Any) -> Path:
    """Write a model to a file, all of it or nothing.

    The file is in the safetensors format: arrays as they are, and one JSON text with the rest.
    `load` runs nothing of it, unlike pickle. Training goes on from it to the same bits.

    Parameters
    ----------
    model : Network, BackpropClassifier, BackpropRegressor, OnlineClassifier, OnlineRegressor, \
            Recording or Pipeline
        Fitted. A pipeline of scikit-learn ends in one of these; its other steps are stored by
        skops (extra `skops`). Estimators of `fastbp.dask` are stored as those of one process.
    path : str or path-like
        Usually ends in ".fbp". A file that is there is replaced at once.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    TypeError
        If it is of another class, or holds what cannot be stored, such as a function as
        ``learning_rate`` or labels that are neither text, numbers nor dates.
    ValueError
        For an estimator whose parameters have become invalid since it was fitted.
    ImportError
        For a pipeline, without skops.
    OSError
        If the file cannot be written. It is as it was then.

    See Also
    --------
    load : Read it.
    Network.load : Take the network out of it, without scikit-learn.

    Examples
    --------
    >>> import tempfile
    >>> import fastbp
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = fastbp.BackpropClassifier(random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = fastbp.save(model, f"{folder}/iris.fbp")
    ...     loaded = fastbp.load(path)
    >>> bool((loaded.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    from .files import checked_path, write_file

    checked_path(path)
    return write_file(path, _checked(pack(tree_of(model))))


def load(path: Any) -> Any:
    """Return the model in a file that `save` wrote.

    Nothing in the file is run. All of it is checked: a damaged file gives an error, or a model that
    predicts; anyone who can change a file can change what it predicts.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Network, BackpropClassifier, BackpropRegressor, OnlineClassifier, OnlineRegressor, \
            Recording or Pipeline
        As it was saved: it predicts and goes on with training to the same bits (on another
        processor, to rounding).

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If it is no model of fastbp, a damaged one, or one of a newer version.
    ImportError
        For a pipeline, without skops.

    See Also
    --------
    save : Write it.
    """
    return _of_file(path, lambda fields, name: _codec(name).from_tree(fields, name))


def load_network(path: Any) -> Any:
    """Return the network of any file of `save`: what `Network.load` does."""
    return _of_file(path, _network_of)


def tree_of(model: Any) -> dict[str, Any]:
    """Return a model as a tree that `pack` takes.

    Raises
    ------
    TypeError
        For another class than those of the table `KINDS`, and for what cannot be stored.
    """
    if hasattr(model, "to_local"):  # which is trained elsewhere, and predicts without that
        model = model.to_local()
    kind = BY_CLASS.get((type(model).__module__, type(model).__qualname__))
    if kind is None:
        name = type(model).__name__
        if hasattr(model, "best_estimator_"):
            raise TypeError(f"a {name} cannot be stored: save its best_estimator_")
        raise TypeError(f"a {name} cannot be stored: {CONVERSIONS.get(name, ADVICE)}")
    return {"class": kind.name, **_codec(kind.name).to_tree(model)}


def checked_tree_of(model: Any) -> dict[str, Any]:
    """Return `tree_of` a model, of which `load` will make a model again.

    Raises
    ------
    TypeError, ValueError
        For a model that no file can hold, rather than later for its file.
    """
    tree = tree_of(model)
    _checked(pack(tree))
    return tree


def _checked(data: bytearray) -> bytearray:
    """Return the content of a file, if `load` would make a model of it."""
    try:
        model_of(unpack(memoryview(data).toreadonly()))
    except UnreadableFileError as error:
        reason = str(error).removeprefix("it is damaged: ")
        raise ValueError(f"this model cannot be stored: {reason}") from error
    return data


def model_of(tree: Any) -> Any:
    """Return the model of a tree.

    Raises
    ------
    UnreadableFileError
        If it is none.
    """
    return _of_tree(tree, lambda fields, name: _codec(name).from_tree(fields, name))


def network_in(tree: Any) -> Any:
    """Return the network of a model's tree, with its units and names, in need of NumPy alone."""
    return _of_tree(tree, _network_of)


def _network_of(fields: Fields, name: str) -> Any:
    if name == "Pipeline":
        fields = fields.fields("model")
        name = fields.text("class", BY_NAME)
    codec = "of_networks" if name.startswith("Backprop") else BY_NAME[name].codec
    return _module(codec).stored_network_of(fields, name)


def _of_tree(tree: Any, build: Any) -> Any:
    fields = Fields(tree)
    refuse_checkpoint_of_dask(fields)
    name = fields.text("class")
    if name == CHECKPOINT:
        raise UnreadableFileError("it is a checkpoint of a fit: fastbp.resume goes on from it")
    if name not in BY_NAME:
        raise UnreadableFileError(
            f"it holds a {shortened(printable(name), 40)}, which this version of fastbp does not "
            "know: install a newer one"
        )
    del fields.tree["class"]
    try:
        return build(fields, name)
    except (UnreadableFileError, ImportError):
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError) as error:
        # What no field by itself shows: the checks of a model's own constructor.
        reason = shortened(printable(str(error)), 300)
        raise UnreadableFileError(f"it is damaged: {reason}") from error


def refuse_checkpoint_of_dask(fields: Fields) -> None:
    """Refuse the content of a file that only a fit on Dask can go on from."""
    if fields.tree.get("kind") == DASK:
        raise UnreadableFileError(
            "it is a checkpoint of fastbp.dask: its fit goes on with fit(..., checkpoint=path, "
            "resume=True)"
        )


def _codec(name: str) -> Any:
    return _module(BY_NAME[name].codec)


def _module(name: str) -> Any:
    return importlib.import_module(f".{name}", __package__)


def _of_file(path: Any, build: Any) -> Any:
    name = os.fsdecode(path)
    try:
        return _of_tree(unpack(read_file(name)), build)
    except UnreadableFileError as error:
        raise ValueError(f"cannot read {printable(name)}: {error}") from error


def _whole(file: BinaryIO) -> NDArray[np.uint8]:
    return np.fromfile(file, np.uint8)


def read_file(name: str, read: Callable[[BinaryIO], Any] = _whole) -> Any:
    """Return the content of a file, an array that can be written to, or what ``read`` takes of it.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If no file can have this name.
    """
    from .files import open_at_once

    try:
        with open(name, "rb", opener=open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "it is no regular file")
            return read(file)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot read {printable(name)}: {reason}") from error
    except ValueError as error:
        raise ValueError(f"cannot read {printable(name)}: no file can have this name") from error
