"""`Engine`: the graphs of a fit: reading, the survey, shards, rounds, rows held out."""

from __future__ import annotations

import contextlib
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


class Engine:
    """Runs the passes and the rounds of one fit on a cluster.

    Parameters
    ----------
    cluster : Cluster
    n_shards : int
        As many as are known before rows are counted: partitions are read where shards will be.
    """

    def __init__(self, cluster: Cluster, n_shards: int) -> None:
        self.cluster, self.n_shards = cluster, n_shards
        self.slots = cluster.workers()
        self._shards: list[Any] = []

    # -- reading -------------------------------------------------------------------------------

    def read(
        self, partitions: Sequence[Partition], is_classifier: bool, *, spread: bool = True
    ) -> list[Any]:
        """Return futures of the blocks of these partitions."""
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
        futures: list[Any] = [None] * len(delayed)
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
            for place, members in self._places(len(delayed), spread).items():
                where = {} if place is None else {"workers": [place], "allow_other_workers": True}
                found = self.cluster.client.compute([delayed[i] for i in members], **where)
                for i, future in zip(members, found, strict=True):
                    futures[i] = future
        return futures

    def _places(self, n: int, spread: bool = True) -> dict[Any, list[int]]:
        """Return which partitions should lie on which worker."""
        if not spread:
            return {None: list(range(n))}
        places: dict[Any, list[int]] = {}
        for i in range(n):
            places.setdefault(self.slots[i % self.n_shards % len(self.slots)], []).append(i)
        return places

    def survey(self, blocks: Sequence[Any], n_some: int, is_classifier: bool) -> Survey | None:
        """Return what the pass over all blocks finds out."""

        def attempt() -> Survey | None:
            number, graph = self.cluster.next_number(), Graph()
            keys = []
            for i, block in enumerate(blocks):
                keys.append(self.cluster.key("survey", number, i))
                of_block = reference(block.key)
                graph[keys[-1]] = task(keys[-1], tasks.survey_of, of_block, n_some, is_classifier)
            root = self._tree(graph, keys, "survey_merged", number, _merged_surveys)
            found: Survey | None = self._results(graph, [root], blocks)[0]
            return found

        return self.cluster.robust(attempt)  # type: ignore[no-any-return]

    def make_shards(self, encoder: Encoder, blocks: Sequence[Any]) -> tuple[int, ...]:
        """Make the shards, which stay on the cluster; return their rows in an epoch."""

        def attempt() -> tuple[int, ...]:
            number = self.cluster.next_number()
            futures: list[Any] = [None] * len(blocks)
            for place, members in self._places(len(blocks)).items():
                held = self.cluster.key("encoder", number, members[0])
                graph = Graph({held: held_task(held, encoder)})
                keys = [self.cluster.key("shard", number, i) for i in members]
                for i, key in zip(members, keys, strict=True):
                    of_block = reference(blocks[i].key)
                    graph[key] = task(key, tasks.shard_of, reference(held), of_block)
                found = self.cluster.submit(graph, keys, [place])
                for i, future in zip(members, found, strict=True):
                    futures[i] = future
            sizes_graph, sizes = Graph(), []
            for i, future in enumerate(futures):
                sizes.append(self.cluster.key("rows", number, i))
                sizes_graph[sizes[-1]] = task(sizes[-1], tasks.visits_of, reference(future.key))
            found = self._results(sizes_graph, sizes, [*futures, *blocks])
            self._shards = futures
            return tuple(found)

        return self.cluster.robust(attempt)  # type: ignore[no-any-return]

    # -- rounds --------------------------------------------------------------------------------

    def run(self, state: RoundState, chains: Sequence[Chain], settings: Settings) -> Outcome:
        """Run a round: of each shard one task after another, and a tree of averages."""
        return self.cluster.robust(  # type: ignore[no-any-return]
            lambda: self._run_once(state, chains, settings)
        )

    def _run_once(self, state: RoundState, chains: Sequence[Chain], settings: Settings) -> Outcome:
        number, graph = self.cluster.next_number(), Graph()
        start = self.cluster.key("state", number)
        how = self.cluster.key("settings", number)
        graph[start] = held_task(start, state)
        graph[how] = held_task(how, settings)
        ends = [self._chain(graph, number, s, chain) for s, chain in enumerate(chains)]
        keys = []
        for i, group in enumerate(grouped(ends)):
            keys.append(self.cluster.key("average", number, 0, i))
            graph[keys[-1]] = task(
                keys[-1], tasks.outcome_of_shards, reference(start), reference(how),
                *map(reference, group),
            )  # fmt: skip
        root = self._tree(graph, keys, "average", number, tasks.outcome_of_outcomes)
        outcome: Outcome = self._results(graph, [root], self._shards)[0]
        return outcome

    def _chain(self, graph: Graph, number: int, shard: int, chain: Chain) -> str:
        """Add the tasks of a shard, each of which goes on from the one before."""
        start, how = (self.cluster.key(what, number) for what in ("state", "settings"))
        before = start
        for i, segment in enumerate(chain):
            key = self.cluster.key("train", number, shard, i)
            others = map(reference, (how, before, self._shards[segment.partition].key))
            graph[key] = task(key, tasks.train, __version__, *others, tuple(segment))
            before = key
        if not chain:
            key = self.cluster.key("train", number, shard, 0)
            graph[key] = task(key, tasks.pass_on, reference(start))
            return key
        return before

    def judge(self, encoder: Encoder, state: RoundState, blocks: Sequence[Any]) -> Judgement:
        """Return how a state does on rows held out."""

        def attempt() -> Judgement:
            number, graph = self.cluster.next_number(), Graph()
            held, now = self.cluster.key("encoder", number), self.cluster.key("state", number)
            graph[held] = held_task(held, encoder)
            graph[now] = held_task(now, state)
            keys = []
            for i, block in enumerate(blocks):
                keys.append(self.cluster.key("judge", number, i))
                graph[keys[-1]] = task(
                    keys[-1], tasks.judge, *map(reference, (held, now, block.key))
                )
            total = Judgement()
            for one in self._results(graph, keys, blocks):
                total = total.joined(one)
            return total

        return self.cluster.robust(attempt)  # type: ignore[no-any-return]

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

    def _results(self, graph: Graph, keys: Sequence[str], needed: Sequence[Any]) -> list[Any]:
        """Run a graph and return results, which an interrupt stops.

        ``needed`` are futures that it refers to. Of one that has failed, whose tasks are given up,
        the error is that of the task.
        """
        futures = self.cluster.submit(graph, keys)
        try:
            return self.cluster.results(futures)
        except BaseException:
            self.cluster.cancel(futures)
            self._retry_failed(needed)
            raise

    def _retry_failed(self, futures: Sequence[Any]) -> None:
        """Let those that failed be tried again, where they are needed again."""
        with contextlib.suppress(Exception):
            for future in futures:
                if future.status == "error":
                    future.retry()


def held_task(key: str, value: Any) -> Any:
    """Return a task that holds a value."""
    return task(key, tasks.hold, tasks.Sealed(key, value))


def _merged_surveys(*parts: Survey | None) -> Survey | None:
    return tasks.merge_surveys(parts)
