"""`Labels`: the classes of a stream, in the order in which they appear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._messages import counted
from .._printable import printable
from ..network.frames import as_array_like, is_missing

Label = str | int | float


class Labels:
    """Labels and the network's outputs that stand for them.

    Parameters
    ----------
    max_classes : int, default=None
        More are refused.

    Attributes
    ----------
    numbers : dict of label to number of the output
    order : list of label
    kind : type or None
        Of the labels so far: str, bool, int or float.
    """

    def __init__(self, max_classes: int | None = None) -> None:
        self.max_classes = max_classes
        self.numbers: dict[Label, int] = {}
        self.order: list[Label] = []
        self.kind: type | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def plain(self, given: Any) -> Label:
        """Return a label as Python's own, checked.

        Raises
        ------
        TypeError, ValueError
            For a gap, or a label of another kind than those so far.
        """
        value = given.item() if isinstance(given, np.generic) else given
        if is_missing(value):
            raise ValueError("y is missing (NaN or None): a row without a label teaches nothing")
        if not isinstance(value, (str, bool, int, float)):
            raise TypeError(f"a label must be text or a number; got {printable(repr(value))}")
        if self.kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)  # of a column that pandas made of whole numbers and a gap
        kind = next(kind for kind in (str, bool, int, float) if isinstance(value, kind))
        if self.kind is not None and kind is not self.kind:
            raise TypeError(
                f"labels were of type {self.kind.__name__} so far, such as "
                f"{next(iter(self.numbers))!r}; got {printable(repr(value))} of type "
                f"{kind.__name__}"
            )
        label: Label = str.__str__(value) if isinstance(value, str) else kind(value)
        return label

    def check(self, n_outputs: int) -> None:
        """Refuse labels that do not stand for so many outputs."""
        numbers = list(self.numbers.values())
        if numbers != list(range(len(self.order))) or len(numbers) > n_outputs:
            raise ValueError(f"the labels in this state do not fit its {n_outputs} outputs")

    def check_room(self, labels: Sequence[Label]) -> None:
        """Refuse labels that are too many."""
        new = [label for label in labels if label not in self.numbers]
        if self.max_classes is not None and len(self) + len(new) > self.max_classes:
            raise ValueError(
                f"there are {counted(len(self), 'class')}, and y has {counted(len(new), 'new one')}"
                f", such as {printable(repr(new[0]))}: max_classes is {self.max_classes}"
            )

    def add(self, label: Label) -> int:
        """Give a new label its output."""
        self.kind = type(label)
        self.numbers[label] = len(self.order)
        self.order.append(label)
        return self.numbers[label]

    def encode(self, y: Any) -> tuple[NDArray[np.intp], list[Label]]:
        """Return the position of each label in a list of the different ones, checked.

        Parameters
        ----------
        y : array-like, Series or list of shape (n,)
        """
        if y is None:
            raise TypeError("y must be labels, one for each row of X; got None")
        values = as_array_like(y)
        if getattr(values, "ndim", 1) == 2 and values.shape[1] == 1:
            values = np.asarray(values)[:, 0]
        if not isinstance(values, (list, tuple)):
            values = np.asarray(values)
            if values.ndim != 1:
                raise ValueError(
                    f"y must be a list of labels; got an array of shape {values.shape}"
                )
        if getattr(values, "dtype", np.dtype(object)).kind in "iub":
            found, codes = np.unique(values, return_inverse=True)
            labels = [self.plain(label) for label in found]
        else:
            order: dict[Label, int] = {}
            numbers = [order.setdefault(self.plain(one), len(order)) for one in values]
            codes, labels = np.array(numbers, np.intp), list(order)
        kinds = {type(label).__name__ for label in labels}
        if len(kinds) > 1:
            raise TypeError(f"labels must be of one type; got {' and '.join(sorted(kinds))}")
        self.check_room(labels)
        return codes, labels
