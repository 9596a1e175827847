"""`Fingerprint`: by what data are told from others, without being kept."""

from __future__ import annotations

import dataclasses
import hashlib
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .fields import Fields

if TYPE_CHECKING:
    from ..estimators.base import Backprop
    from ..estimators.prepared import GivenData, TrainingData

ROWS = 1000  # of X that are hashed well
BLOCK = 2**20  # numbers that are looked at together, which may be on disk or to be copied
BYTES = 16  # of a hash
AGAIN = "resume needs the data that fit was given"


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """What data of a fit look like: hashes of all of them.

    A good hash of all of X takes several times as long as the checksum that most of its rows are
    in, and data are mistaken here, not forged.

    Attributes
    ----------
    shape : tuple of int
    names : list of str, or None
        Of the columns.
    values : dict of str to str
        A hash of each part of the data, by the argument that it was given in.
    """

    shape: tuple[int, ...]
    names: list[str] | None
    values: dict[str, str]

    @classmethod
    def of(cls, model: Backprop, data: TrainingData) -> Fingerprint:
        """Return that of the data that a model is about to be trained on."""
        labels = getattr(model, "classes_", None)
        values = _hashes(data.given, "")
        if labels is not None:
            values["y"] = _hash(data.given.targets, _as_text(labels))
        if data.held_out is not None:
            values |= _hashes(data.held_out, "_val")
        names = getattr(model, "feature_names_in_", None)
        shape = tuple(data.given.X.shape)
        return cls(shape, None if names is None else [str(one) for one in names], values)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"shape": list(self.shape), "names": self.names, "values": dict(self.values)}

    @classmethod
    def from_dict(cls, saved: Fields) -> Fingerprint:
        """Return what `to_dict` was called of."""
        names = None if saved.value("names") is None else saved.items("names", str)
        values = saved.fields("values")
        hashes = {name: values.text(name) for name in values.tree}
        shape = saved.items("shape", int)
        if len(shape) != 2:
            saved.refuse("shape", "must be two numbers")
        return cls(tuple(shape), names, hashes)

    def check(self, found: Fingerprint) -> None:
        """Refuse data of another fingerprint."""
        if found.shape != self.shape:
            raise ValueError(
                f"X has {_size(found.shape)}, but the checkpoint is of a fit on "
                f"{_size(self.shape)}: {AGAIN}"
            )
        if found.names != self.names:
            raise ValueError(
                f"The columns of X are {_named(found.names)}, but the checkpoint is of a fit on "
                f"{_named(self.names)}: {AGAIN}"
            )
        if set(found.values) != set(self.values):
            held_out = "without" if "X_val" in found.values else "with"
            raise ValueError(f"The checkpoint is of a fit {held_out} X_val and y_val: {AGAIN}")
        for name, value in self.values.items():
            if found.values[name] != value:
                raise ValueError(
                    f"{name} has other values than in the fit that the checkpoint is of: {AGAIN}"
                )


def _hashes(given: GivenData, end: str) -> dict[str, str]:
    """Return a hash of each part of some rows, by its name, which ends so."""
    n_rows = given.X.shape[0]
    rows = given.X[np.unique(np.linspace(0, n_rows - 1, min(n_rows, ROWS)).astype(np.intp))]
    parts = [rows] if isinstance(rows, np.ndarray) else [rows.data, rows.indices, rows.indptr]
    weights = np.empty(0) if given.sample_weight is None else given.sample_weight
    return {
        f"X{end}": f"{_hash(*parts)}-{_checksum(given.X):08x}",
        f"y{end}": _hash(given.targets),
        f"sample_weight{end}": _hash(weights),
    }


def _hash(*arrays: Any) -> str:
    digest = hashlib.blake2b(digest_size=BYTES)
    for array in arrays:
        one = np.ascontiguousarray(array)
        digest.update(f"{one.dtype.str} {one.shape} ".encode())
        digest.update(one.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _checksum(X: Any) -> int:
    """Return the CRC-32 of all numbers of X, an array or a CSR matrix."""
    arrays = [X] if isinstance(X, np.ndarray) else [X.data, X.indices, X.indptr]
    value = 0
    for array in arrays:
        n = max(1, BLOCK // max(1, array[:1].size))
        for start in range(0, len(array), n):
            block = np.ascontiguousarray(array[start : start + n])
            value = zlib.crc32(block.reshape(-1).view(np.uint8).data, value)
    return value


def _as_text(labels: NDArray[Any]) -> NDArray[np.uint8]:
    return np.frombuffer(repr(labels.tolist()).encode("utf-8", "backslashreplace"), np.uint8)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} rows and {shape[1]} columns"


def _named(names: list[str] | None) -> str:
    if names is None:
        return "columns without names"
    shown = ", ".join(map(repr, names[:5]))
    return f"{shown}, ..." if len(names) > 5 else shown
