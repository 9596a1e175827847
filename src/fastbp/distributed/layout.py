"""`Layout`: which partitions are a shard, and which of their rows a round takes."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np


class Segment(NamedTuple):
    """Rows ``start`` to ``stop`` of a partition's order in an epoch.

    ``n_before`` are the rows that the shard was trained on before them, ``n_an_epoch`` its rows in
    each epoch.
    """

    partition: int
    epoch: int
    start: int
    stop: int
    n_before: int
    n_an_epoch: int


@dataclasses.dataclass(frozen=True)
class Layout:
    """Partitions, dealt out to shards: each is trained by a network of its own in a round.

    Attributes
    ----------
    sizes : tuple of int
        Rows of each partition in an epoch; some may be 0.
    n_shards : int
    seed : int
    shuffle : bool
        Whether a shard takes its partitions in a new order in each epoch.
    """

    sizes: tuple[int, ...]
    n_shards: int
    seed: int = 0
    shuffle: bool = True

    def partitions(self, shard: int) -> list[int]:
        """Return the numbers of a shard's partitions: every ``n_shards``-th."""
        return list(range(shard, len(self.sizes), self.n_shards))

    def shard_of(self, partition: int) -> int:
        """Return the number of the shard that a partition belongs to."""
        return partition % self.n_shards

    def n_rows(self, shard: int) -> int:
        """Return the rows of a shard in an epoch."""
        return sum(self.sizes[partition] for partition in self.partitions(shard))

    @property
    def largest(self) -> int:
        """Rows of the largest shard."""
        return max(self.n_rows(shard) for shard in range(self.n_shards))

    def rounds_an_epoch(self, rows_per_round: int) -> int:
        """Return into how many rounds an epoch is divided, so that none has more rows a shard."""
        return max(1, -(-self.largest // rows_per_round))

    def segments(self, shard: int, epoch: int, number: int, n_rounds: int) -> list[Segment]:
        """Return the rows of round ``number`` of the ``n_rounds`` of an epoch, in their order.

        Every shard is through its rows at the end of the epoch, however many they are.
        """
        partitions, n = self.partitions(shard), self.n_rows(shard)
        if self.shuffle and len(partitions) > 1:
            random = np.random.RandomState([self.seed, epoch, 2**31 + shard])
            partitions = [partitions[i] for i in random.permutation(len(partitions))]
        first, last = n * number // n_rounds, n * (number + 1) // n_rounds
        found, begin = [], 0
        for partition in partitions:
            start, stop = max(first - begin, 0), min(last - begin, self.sizes[partition])
            if start < stop:
                before = epoch * n + begin + start
                found.append(Segment(partition, epoch, start, stop, before, n))
            begin += self.sizes[partition]
        return found
