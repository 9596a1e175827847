"""`Snapshot`: what the predictions of a model of a stream depend on at one moment."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from .names import Key, columns_of_numbers
from .rows import PlainRow


@dataclasses.dataclass(frozen=True, eq=False)
class Snapshot:
    """Copies of networks, names and scaling, which learning leaves alone.

    Attributes
    ----------
    networks : list of Network
        Of the inputs and outputs in use.
    shares : ndarray of float64 of shape (n_networks,)
        What each counts in the mixture; the sum is 1.
    keys : list of Key or None
        Of each input, its name and for text the text; None where all names share the inputs.
    columns : ndarray of int of shape (n_inputs,)
        Which columns of the networks the inputs are; the others belong to no name.
    center, factor : ndarray of float64 of shape (n_inputs,)
        Numbers are seen as ``(x - center) * factor``; a factor of 0 is that of one that has always
        been the same, and is seen as 1 where it is not 0.
    is_number : ndarray of bool of shape (n_inputs,)
    limit : float
        No scaled number is further from 0.
    target_center, target_factor : ndarray of float64 of shape (n_outputs,), or None
    labels : list or None
        Of a classifier.
    """

    networks: list[Network]
    shares: NDArray[np.float64]
    keys: list[Key | None]
    columns: NDArray[np.intp]
    center: NDArray[np.float64]
    factor: NDArray[np.float64]
    is_number: NDArray[np.bool_]
    limit: float
    target_center: NDArray[np.float64] | None
    target_factor: NDArray[np.float64] | None
    labels: list[Any] | None

    def input_names(self) -> tuple[str, ...]:
        """Return the names of the inputs: of text ``name=text``."""
        if None in self.keys:
            n = columns_of_numbers(len(self.keys))
            texts = len(self.keys) - n
            return (*(f"number {i}" for i in range(n)), *(f"text {i}" for i in range(texts)))
        return tuple(
            str(key[0]) if key[1] is None else f"{key[0]}={key[1]}" for key in self.keys if key
        )

    def inputs_of(self, row: PlainRow, column_of: Any) -> NDArray[np.float64]:
        """Return a row as one number for each input, NaN for numbers that it leaves out.

        Parameters
        ----------
        row : PlainRow
        column_of : function
            Returns the column of a key, or None.

        Raises
        ------
        ValueError
            If two numbers share an input.
        """
        inputs = np.where(self.is_number, math.nan, 0.0)
        places = {int(column): place for place, column in enumerate(self.columns)}
        for name, value in row.items():
            place = places.get(column_of((name, value if isinstance(value, str) else None)))
            if place is None:
                continue
            if isinstance(value, str):
                inputs[place] += 1
            elif inputs[place] == inputs[place]:
                raise ValueError(
                    f"x[{name!r}] has the same input as another number of the row, by its hash, "
                    "and an input holds one number: choose more hashed_features, or none"
                )
            else:
                inputs[place] = value
        return inputs
