"""`Arena`: one aligned block of memory for a network's parameters, or for anything shaped alike."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import as_numbers, check_finite

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


def aligned_zeros(n: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return n zeros, the first of them at a multiple of `ALIGNMENT`.

    They are a view on a buffer: no array that a view on them leads to can be resized, while kernels
    hold pointers to its memory.
    """
    lane = ALIGNMENT // dtype.itemsize
    raw: NDArray[Any] = np.frombuffer(np.zeros(n + lane, dtype=dtype).data, dtype)
    first = -(raw.ctypes.data // dtype.itemsize) % lane
    return raw[first : first + n]


class Parameters(list[NDArray[Any]]):
    """A list of views on an arena: assigning to an item copies values into the arena."""

    def __init__(self, views: Iterable[NDArray[Any]], name: str) -> None:
        super().__init__(views)
        self._name = name

    def new_views(self) -> Parameters:
        """Return the same list of new views, for users.

        What the caller assigns to a view's shape, strides, dtype or flags changes only the view.
        """
        return Parameters([view.view() for view in self], self._name)

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            self.assign(range(len(self))[index], value)
        else:
            self[index][...] = self._checked(index, value)

    def assign(self, layers: range, value: Any, *, may_overflow: bool = False) -> None:
        """Copy one array a layer, all of them checked before the first is copied.

        ``may_overflow`` allows infinity: squares of gradients may leave the range of the dtype,
        after which their weight rests.
        """
        try:
            values = list(value)
        except NotImplementedError as error:  # of a memoryview in several dimensions
            raise TypeError(f"{self._name} needs {len(layers)} arrays: {error}") from error
        if len(values) != len(layers):
            raise ValueError(f"{self._name} needs {len(layers)} arrays; got {len(values)}")
        checked = [
            self._checked(i, one, may_overflow) for i, one in zip(layers, values, strict=True)
        ]
        for i, array in zip(layers, checked, strict=True):
            self[i][...] = array

    def _checked(self, index: int, value: Any, may_overflow: bool = False) -> NDArray[Any]:
        array = as_numbers(f"{self._name}[{index}]", value, self[index].dtype)
        if array.shape != self[index].shape:
            raise ValueError(
                f"{self._name}[{index}] has shape {self[index].shape}; "
                f"got an array of shape {array.shape}"
            )
        if not (may_overflow and not np.isnan(array).any()):
            check_finite(f"{self._name}[{index}]", array)
        return array.copy() if np.may_share_memory(array, self[index].base) else array

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            f"{self._name} has one array a layer, and these stay: assign to them, for instance "
            f"{self._name}[0] = array, or write into them"
        )

    __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return list, ([np.array(view) for view in self],)


class Arena:
    """Weights and biases of all layers in one block, each array aligned to `ALIGNMENT` bytes.

    Parameters
    ----------
    layer_sizes : tuple of int
    dtype : numpy.dtype
    memory : aligned ndarray, default=None
        The block to lie on; None is a new one.

    Attributes
    ----------
    values : ndarray of shape (n,)
        The whole block, padding included.
    n_parameters : int
    weights, biases : list of ndarray
        Views of shape (n_in, n_out) and (n_out,), one a layer. Users get `new_views` of them.
    """

    def __init__(
        self,
        layer_sizes: tuple[int, ...],
        dtype: np.dtype[Any],
        memory: NDArray[Any] | None = None,
    ) -> None:
        self.layer_sizes, self.dtype = layer_sizes, dtype
        lane = ALIGNMENT // dtype.itemsize
        pairs = list(itertools.pairwise(layer_sizes))
        shapes = [shape for n_in, n_out in pairs for shape in ((n_in, n_out), (n_out,))]
        sizes = [-(-math.prod(shape) // lane) * lane for shape in shapes]
        self.n_parameters = sum(map(math.prod, shapes))

        self.values = aligned_zeros(sum(sizes), dtype) if memory is None else memory
        views, start = [], 0
        for shape, size in zip(shapes, sizes, strict=True):
            views.append(self.values[start : start + math.prod(shape)].reshape(shape))
            start += size
        self.weights = Parameters(views[0::2], "weights")
        self.biases = Parameters(views[1::2], "biases")

    def zeros_like(self) -> Arena:
        """Return an arena of the same layout, all zeros."""
        return Arena(self.layer_sizes, self.dtype)

    def state_arrays(self, n: int) -> tuple[NDArray[Any], list[Arena]]:
        """Return n arenas of the same layout, all zeros, as the rows of one array, and each."""
        rows = aligned_zeros(n * self.values.size, self.dtype).reshape(n, -1)
        return rows, [Arena(self.layer_sizes, self.dtype, row) for row in rows]

    def copy_into(self, other: Arena) -> None:
        """Copy the rows and columns that both have, into arrays that are larger or smaller."""
        for ours, theirs in ((self.weights, other.weights), (self.biases, other.biases)):
            for array, place in zip(ours, theirs, strict=True):
                both = tuple(map(slice, map(min, array.shape, place.shape)))
                place[both] = array[both]

    def arrays(self, *, copied: bool = True) -> list[NDArray[Any]]:
        """Return W and b, or copies, layer by layer: what is saved of an arena."""
        pairs = zip(self.weights, self.biases, strict=True)
        return [np.array(view) if copied else view for pair in pairs for view in pair]

    def load(self, arrays: Sequence[NDArray[Any]], *, may_overflow: bool = False) -> None:
        """Copy what `arrays` returned into this arena."""
        layers = range(len(self.weights))
        self.weights.assign(layers, arrays[0::2], may_overflow=may_overflow)
        self.biases.assign(layers, arrays[1::2], may_overflow=may_overflow)
