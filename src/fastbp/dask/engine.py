"""`Engine`: the graphs of a fit: reading, the survey, shards, rounds, rows held out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from .._version import __version__
from ..distributed import RoundState, Training
from ..distributed.average import GROUP, grouped
from ..distributed.training import Chain, RoundResult
from . import tasks
from .cluster import Cluster, Graph, reference, task
from .partitions import Partition
from .tasks import Encoder, Judgement, Survey

MAX_SHARDS_THAT_AVERAGE = 2  # each for itself, so that neither waits for a task that does
MOST_TASKS_AHEAD, MOST_BYTES_AHEAD = 1_000, 2**28  # of the rounds that are handed over at once


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


class Pending:
    """A round under way.

    Parameters
    ----------
    future : Future

    Attributes
    ----------
    ended : float or None
        When it did, however late its result is looked at.
    """

    def __init__(self, future: Any) -> None:
        self.future = future
        self.ended: float | None = None
        future.add_done_callback(self._note_end)

    def _note_end(self, _: Any) -> None:
        self.ended = time.perf_counter()


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
        self._rounds: deque[Pending] = deque()  # the next one first
        self._begun = 0.0  # when the next round was, or could have been
        self._spent: list[Held] = []  # blocks whose shards are under way

    def __enter__(self) -> Engine:
        self.cluster.wait_for_workers()
        return self

    def __exit__(self, *_: object) -> None:
        self.forget_rounds()
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
            names = self._in_groups(graph, keys, ("survey_of_several", number), _merged_surveys)
            root = self.cluster.key("survey_of_all", number)
            graph[root] = task(root, _merged_surveys, *map(_reference_or_none, names))
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

    def run(self, training: Training, n_ahead: int = 1) -> tuple[RoundResult, float]:
        """Return what the next round comes to, and the seconds that it took.

        Parameters
        ----------
        training : Training
        n_ahead : int, default=1
            How many rounds to hand over at once, where none is under way: workers go from one to
            the next without waiting for this process.
        """

        def attempt() -> RoundResult:
            if not self._rounds:
                self._rounds.extend(map(Pending, self._submit_rounds(training, n_ahead)))
            try:
                (start,) = self.cluster.results([self._rounds[0].future])
            except BaseException:
                self.forget_rounds()
                raise
            return start.last  # type: ignore[no-any-return]

        if not self._rounds:
            self._begun = time.perf_counter()
        result = self._robust(attempt, self._shards)
        done = self._rounds.popleft()
        ended = done.ended or time.perf_counter()  # who waits for it may come first
        seconds, self._begun = ended - self._begun, ended
        self.cluster.release([done.future])
        return result, seconds

    def forget_rounds(self) -> None:
        """Let go the rounds that are under way."""
        self.cluster.release([one.future for one in self._rounds])
        self._rounds.clear()

    def _submit_rounds(self, training: Training, n: int) -> list[Any]:
        """Hand over rounds that begin with one another's results, the first with that at hand."""
        number, graph, ends = self.cluster.next_number(), Graph(), []
        begin = self.cluster.key("start", number)
        graph[begin] = held_task(begin, tasks.Start(training.last, training.settings))
        first = reference(begin)
        for ahead in range(min(n, max(1, MOST_BYTES_AHEAD // training.last.nbytes))):
            if len(graph) > MOST_TASKS_AHEAD:
                break
            chains, of_round = training.chains(ahead), (number, ahead)
            parts = [
                self._chain(graph, (first, reference(begin)), (*of_round, shard), chain)
                for shard, chain in enumerate(chains)
            ]
            given = __version__, reference(begin)
            names = self._in_groups(graph, parts, ("average", *of_round), tasks.merged, *given)
            ends.append(self.cluster.key("round", *of_round))
            arguments = [*given, *map(_reference_or_none, names)]
            graph[ends[-1]] = task(ends[-1], tasks.next_start, *arguments)
            begin = ends[-1]
            first = reference(begin)
            if len(chains) <= MAX_SHARDS_THAT_AVERAGE:
                first = task(f"{begin}-here", tasks.next_start, *arguments)
        return self.cluster.submit(graph, ends)

    def _chain(
        self, graph: Graph, starts: tuple[Any, Any], of_tasks: tuple[int, ...], chain: Chain
    ) -> str | None:
        """Add the tasks of a shard, each of which goes on from the one before; None has no rows.

        ``starts`` stand for what the round begins with: for the first task, and for the others.
        """
        before, rows = None, self._shards.keys
        for i, segment in enumerate(chain):
            key = self.cluster.key("train", *of_tasks, i)
            graph[key] = task(
                key, tasks.train, __version__, starts[i > 0], _reference_or_none(before),
                reference(rows[segment.partition]), tuple(segment),
            )  # fmt: skip
            before = key
        return before

    def judge(self, encoder: Encoder, blocks: Held, state: RoundState | None = None) -> Judgement:
        """Return how a state does on rows held out; None is a fitted model, which has no loss."""

        def attempt() -> Judgement:
            number, graph = self.cluster.next_number(), Graph()
            held = [self.cluster.key("encoder", number)]
            graph[held[0]] = held_task(held[0], encoder)
            if state is not None:
                held.append(self.cluster.key("state", number))
                graph[held[1]] = held_task(held[1], state)
            judge = tasks.score if state is None else tasks.judge
            keys = []
            for i, block in enumerate(blocks.keys):
                keys.append(self.cluster.key("judge", number, i))
                graph[keys[-1]] = task(keys[-1], judge, *map(reference, (*held, block)))
            total = Judgement()
            for one in self._results(graph, keys):
                total = total.joined(one)
            return total

        return self._robust(attempt, blocks)  # type: ignore[no-any-return]

    # -- graphs --------------------------------------------------------------------------------

    def _in_groups(
        self,
        graph: Graph,
        names: Sequence[str | None],
        of_tasks: tuple[Any, ...],
        merge: Callable[..., Any],
        *given: Any,
    ) -> Sequence[str | None]:
        """Add tasks that merge groups of neighbours, until one group is left; return its names.

        ``of_tasks`` are what names of tasks begin with; ``given`` is what each of them takes before
        its group.
        """
        level = 0
        while len(names) > GROUP:
            above = []
            for i, group in enumerate(grouped(names)):
                above.append(self.cluster.key(*of_tasks, level, i))
                graph[above[-1]] = task(above[-1], merge, *given, *map(_reference_or_none, group))
            names, level = above, level + 1
        return names

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
