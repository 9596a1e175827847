"""`Shard`: the rows of a partition, as a network is trained on them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..network import Network
from ..network.scaling import Scaling
from ..training.order import SampleRepeats

MAX_KEPT = 2**21  # values of scaled rows that are kept, since each round reads them


@dataclasses.dataclass
class Shard:
    """Rows of one partition, checked, which training reads where they are.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n, n_in)
        Of the dtype of the network, in the units given.
    targets : ndarray of shape (n,) or (n, n_out)
        In the units of the network; of classes their numbers.
    repeats : SampleRepeats
        How often an epoch takes each row.
    scaling : Scaling or None
        Of the inputs, where rows are read.
    in_batches : bool
        Whether they are read in batches.
    """

    X: Any
    targets: NDArray[Any]
    repeats: SampleRepeats = dataclasses.field(default_factory=SampleRepeats)
    scaling: Scaling | None = None
    in_batches: bool = False

    def __post_init__(self) -> None:
        self._rows: _core.Rows | None = None
        self._shuffled: tuple[Any, NDArray[np.int64]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Pointers mean nothing elsewhere, and an order is found again.
        return self.__dict__ | {"_rows": None, "_shuffled": None}

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.X.shape[0])

    @property
    def n_visits(self) -> int:
        """Number of rows of an epoch, each as often as it is repeated."""
        counts = self.repeats.counts
        return self.n_rows if counts is None else int(counts.sum())

    @property
    def nbytes(self) -> int:
        """Memory of the rows, of which Dask has to know."""
        parts = [self.X] if isinstance(self.X, np.ndarray) else []
        parts = parts or [self.X.data, self.X.indices, self.X.indptr]
        others = [self.repeats.counts, self.repeats.weights]
        return sum(one.nbytes for one in [*parts, self.targets, *others] if one is not None)

    def __sizeof__(self) -> int:
        return self.nbytes

    def order(self) -> NDArray[np.int64]:
        """Return the rows of an epoch, not shuffled."""
        return self.repeats.order(np.arange(self.n_rows, dtype=np.int64))

    def shuffled(self, seeds: tuple[int, ...], start: int, stop: int) -> NDArray[np.int64]:
        """Return rows of an epoch, in the order that these seeds draw, from start to stop.

        The order is kept up to its end, since an epoch has several rounds.
        """
        kept = self._shuffled
        if kept is None or kept[0] != seeds:
            kept = seeds, np.random.RandomState(seeds).permutation(self.order())
        self._shuffled = kept if stop < len(kept[1]) else None
        return kept[1][start:stop]

    def rows(self, network: Network) -> _core.Rows:
        """Return pointers for C, checked once."""
        if self._rows is None:
            rows = network._rows(self.X, self.targets, self.repeats.weights)
            if self.scaling is not None:
                rows = self.scaling.rows(rows, network.dtype)
                is_small = rows.n * rows.values_per_row <= MAX_KEPT
                if is_small or (rows.sparse and self.in_batches):
                    rows = rows.plain(0, rows.n)
            self._rows = rows
        return self._rows
