"""`Engine`: the graphs of a fit: reading, the survey, shards, rounds, rows held out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from .._version import __version__
from ..distributed import RoundState, Settings
from ..distributed.average import grouped
from ..distributed.training import Chain, Outcome
from . import tasks
from .cluster import Cluster, Graph, reference, task
from .partitions import Partition
from .tasks import Encoder, Judgement, Survey


class Held:
    """Results that stay on the cluster, and how to make them again from what the user has given.

    Parameters
    ----------
    make : callable
        Returns futures of new tasks.
    """

    def __init__(self, make: Callable[[], list[Any]]) -> None:
        self.make = make
        self.futures = make()

    @property
    def keys(self) -> list[str]:
        """Names of their tasks."""
        return [future.key for future in self.futures]

    def release(self, cluster: Cluster) -> None:
        """Let the cluster forget them, as soon as nothing else needs them."""
        cluster.release(self.futures)
        self.futures = []

    def renew(self, cluster: Cluster, pause: float) -> None:
        """Make them again, under other names: the scheduler may have given up tasks of before.

        It forgets tasks of the user's when nobody wants their results, for which other fits may
        need a pause.
        """
        self.release(cluster)
        time.sleep(pause)
        self.futures = self.make()


class Engine:
    """Runs the passes and the rounds of one fit on a cluster.

    Parameters
    ----------
    cluster : Cluster

    Notes
    -----
    Tasks are not tied to workers, not even loosely: a scheduler that loses all workers for a moment
    waits for those of before to come back. Data keep tasks where they are.
    """

    _shards: Held

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._all_held: list[Held] = []
        self._spent: list[Held] = []  # blocks whose shards are under way

    def __enter__(self) -> Engine:
        self.cluster.wait_for_workers()
        return self

    def __exit__(self, *_: object) -> None:
        self._release(self._all_held)  # at once, and not when cycles of references are found

    def _release(self, held: list[Held]) -> None:
        while held:
            held.pop().release(self.cluster)

    def _held(self, make: Callable[[], list[Any]]) -> Held:
        self._all_held.append(Held(make))
        return self._all_held[-1]

    # -- reading -------------------------------------------------------------------------------

    def read(self, partitions: Sequence[Partition], is_classifier: bool) -> Held:
        """Return the blocks of these partitions."""
        return self._held(lambda: self._read(partitions, is_classifier))

    def _read(self, partitions: Sequence[Partition], is_classifier: bool) -> list[Any]:
        import dask

        number = self.cluster.next_number()
        read = dask.delayed(tasks.read_block, pure=False)
        delayed = [
            read(
                __version__, i, one.target, is_classifier, one.X, one.y, one.weights,
                dask_key_name=self.cluster.key("block", number, i),
            )
            for i, one in enumerate(partitions)
        ]  # fmt: skip
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
            return list(self.cluster.client.compute(delayed))

    def survey(self, blocks: Held, n_some: int, is_classifier: bool) -> Survey | None:
        """Return what the pass over all blocks finds out."""

        def attempt() -> Survey | None:
            number, graph = self.cluster.next_number(), Graph()
            keys = []
            for i, block in enumerate(blocks.keys):
                keys.append(self.cluster.key("survey", number, i))
                of_block = reference(block)
                graph[keys[-1]] = task(keys[-1], tasks.survey_of, of_block, n_some, is_classifier)
            root = self._tree(graph, keys, "survey_merged", number, _merged_surveys)
            found: Survey | None = self._results(graph, [root])[0]
            return found

        return self._robust(attempt, blocks)  # type: ignore[no-any-return]

    def make_shards(self, encoder: Encoder, blocks: Held) -> tuple[int, ...]:
        """Make the shards, and let go the blocks; return the shards' rows in an epoch."""

        def make() -> list[Any]:
            of_fit = blocks if blocks.futures else self._held(blocks.make)
            number = self.cluster.next_number()
            held = self.cluster.key("encoder", number)
            graph = Graph({held: held_task(held, encoder)})
            keys = [self.cluster.key("shard", number, i) for i in range(len(of_fit.futures))]
            for block, key in zip(of_fit.keys, keys, strict=True):
                graph[key] = task(key, tasks.shard_of, reference(held), reference(block))
            self._spent.append(of_fit)
            return self.cluster.submit(graph, keys)

        def attempt() -> tuple[int, ...]:
            number, graph, sizes = self.cluster.next_number(), Graph(), []
            for i, shard in enumerate(shards.keys):
                sizes.append(self.cluster.key("rows", number, i))
                graph[sizes[-1]] = task(sizes[-1], tasks.visits_of, reference(shard))
            return tuple(self._results(graph, sizes))

        self._shards = shards = self._held(make)
        return self._robust(attempt, shards)  # type: ignore[no-any-return]

    # -- rounds --------------------------------------------------------------------------------

    def run(self, state: RoundState, chains: Sequence[Chain], settings: Settings) -> Outcome:
        """Run a round: of each shard one task after another, and a tree of averages."""
        return self._robust(  # type: ignore[no-any-return]
            lambda: self._run_once(state, chains, settings), self._shards
        )

    def _run_once(self, state: RoundState, chains: Sequence[Chain], settings: Settings) -> Outcome:
        number, graph = self.cluster.next_number(), Graph()
        start = self.cluster.key("state", number)
        graph[start] = held_task(start, tasks.Start(state, settings))
        ends = [self._chain(graph, number, s, chain) for s, chain in enumerate(chains)]
        keys = []
        for i, group in enumerate(grouped(ends)):
            keys.append(self.cluster.key("average", number, 0, i))
            graph[keys[-1]] = task(
                keys[-1], tasks.outcome_of_shards, reference(start), *map(_reference_or_none, group)
            )
        root = self._tree(graph, keys, "average", number, tasks.outcome_of_outcomes)
        outcome: Outcome = self._results(graph, [root])[0]
        return outcome

    def _chain(self, graph: Graph, number: int, shard: int, chain: Chain) -> str | None:
        """Add the tasks of a shard, each of which goes on from the one before; None has no rows."""
        start, rows = self.cluster.key("state", number), self._shards.keys
        before = None
        for i, segment in enumerate(chain):
            key = self.cluster.key("train", number, shard, i)
            graph[key] = task(
                key, tasks.train, __version__, reference(start), _reference_or_none(before),
                reference(rows[segment.partition]), tuple(segment),
            )  # fmt: skip
            before = key
        return before

    def judge(self, encoder: Encoder, state: RoundState, blocks: Held) -> Judgement:
        """Return how a state does on rows held out."""

        def attempt() -> Judgement:
            number, graph = self.cluster.next_number(), Graph()
            held, now = self.cluster.key("encoder", number), self.cluster.key("state", number)
            graph[held] = held_task(held, encoder)
            graph[now] = held_task(now, state)
            keys = []
            for i, block in enumerate(blocks.keys):
                keys.append(self.cluster.key("judge", number, i))
                graph[keys[-1]] = task(keys[-1], tasks.judge, *map(reference, (held, now, block)))
            total = Judgement()
            for one in self._results(graph, keys):
                total = total.joined(one)
            return total

        return self._robust(attempt, blocks)  # type: ignore[no-any-return]

    # -- graphs --------------------------------------------------------------------------------

    def _tree(
        self,
        graph: Graph,
        keys: Sequence[str],
        what: str,
        number: int,
        function: Callable[..., Any],
    ) -> str:
        """Add tasks that merge others, in groups of neighbours; return the name of the last."""
        level = list(keys)
        depth = 1
        while len(level) > 1:
            above = []
            for i, group in enumerate(grouped(level)):
                above.append(self.cluster.key(what, number, depth, i))
                graph[above[-1]] = task(above[-1], function, *map(reference, group))
            level, depth = above, depth + 1
        return level[0]

    def _results(self, graph: Graph, keys: Sequence[str]) -> list[Any]:
        """Run a graph and return results, which an interrupt stops."""
        futures = self.cluster.submit(graph, keys)
        try:
            return self.cluster.results(futures)
        except BaseException:
            self.cluster.release(futures)
            raise

    def _robust(self, attempt: Callable[[], Any], needed: Held) -> Any:
        found = self.cluster.robust(attempt, lambda pause: needed.renew(self.cluster, pause))
        self._release(self._spent)
        return found


def held_task(key: str, value: Any) -> Any:
    """Return a task that holds a value."""
    return task(key, tasks.hold, tasks.Sealed(key, value))


def _reference_or_none(key: str | None) -> Any:
    return None if key is None else reference(key)


def _merged_surveys(*parts: Survey | None) -> Survey | None:
    return tasks.merge_surveys(parts)
