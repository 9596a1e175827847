"""`Cluster`: a client of Dask, and what a fit asks of it."""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Graph = dict[str, Any]
SECONDS_WITHOUT_WORKERS = 60.0
SECONDS_BETWEEN_LOOKS = 1.0
MAX_TRIES = 20  # of tasks that workers died of, as far as the scheduler knows


class LostCluster(RuntimeError):
    """The scheduler is gone, or has forgotten what it was asked for."""


class UnsettledError(RuntimeError):
    """A task has failed, and its error is not known."""


class Cluster:
    """A client, whose tasks have names of their own for each fit.

    Parameters
    ----------
    client : distributed.Client
    timeout : float
        Seconds after which a fit ends that finds no worker.
    """

    def __init__(self, client: Any, timeout: float = SECONDS_WITHOUT_WORKERS) -> None:
        self.client, self.timeout = client, timeout
        self.name = uuid.uuid4().hex[:8]  # of these tasks, not of their numbers
        self._n_submitted = 0

    def key(self, what: str, *numbers: int) -> str:
        """Return the name of a task; its first words are what the dashboard shows."""
        return "-".join([f"fastbp_{what}", self.name, *map(str, numbers)])

    def next_number(self) -> int:
        """Return a number that no graph of this fit had before."""
        self._n_submitted += 1
        return self._n_submitted

    def wait_for_workers(self) -> None:
        """Wait for the first worker.

        Raises
        ------
        TimeoutError
            If there is none in time.
        """
        with contextlib.suppress(TimeoutError):
            self.client.wait_for_workers(1, timeout=self.timeout)
        if not self.client.nthreads():
            raise self._no_workers()

    def _no_workers(self) -> TimeoutError:
        return TimeoutError(
            f"The cluster has had no workers for {self.timeout:g} s: start some, with "
            "cluster.scale(2) or `dask worker ADDRESS`, and call fit again"
        )

    def submit(self, graph: Graph, keys: Sequence[str]) -> list[Any]:
        """Hand over tasks; return the futures of some of them."""
        import dask

        # States are part of graphs, so that no worker's death loses one.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
            found: list[Any] = self.client.get(graph, list(keys), sync=False)
        return found

    def wait(self, futures: Sequence[Any]) -> None:
        """Wait for futures, for as long as there are workers.

        Raises
        ------
        TimeoutError
            If there are none for too long.
        LostCluster
            If the scheduler is gone.
        """
        from distributed import wait

        seen = time.monotonic()
        while True:
            try:
                with self.client.as_current():
                    wait(futures, timeout=SECONDS_BETWEEN_LOOKS)
            except TimeoutError:
                if self.client.status not in ("running", "connecting"):
                    raise LostCluster(f"the client is {self.client.status}") from None
                if self.client.status == "running" and self._has_workers():
                    seen = time.monotonic()
                if time.monotonic() > seen + self.timeout:
                    raise self._no_workers() from None
            else:
                return

    def _has_workers(self) -> bool:
        try:
            return bool(self.client.nthreads())
        except (OSError, TimeoutError):  # of a scheduler that is going
            return False

    def results(self, futures: Sequence[Any]) -> list[Any]:
        """Return the results of futures, or raise the first error of a task."""
        from concurrent.futures import CancelledError

        from distributed.comm import CommClosedError

        try:
            self.wait(futures)
            return [_result(future) for future in futures]
        except (CancelledError, CommClosedError) as error:
            raise LostCluster(str(error)) from error

    def robust(self, attempt: Callable[[], Any], prepare: Callable[[float], None]) -> Any:
        """Return what an attempt does, which is made again where workers have died of its tasks.

        A task is given up by the scheduler where several workers died while they had it to do. That
        is chance where workers come and go, but not again and again.

        Parameters
        ----------
        attempt : callable
        prepare : callable
            Called before an attempt is made again, with the seconds that it may wait.
        """
        from distributed.scheduler import KilledWorker

        for i in range(MAX_TRIES):
            try:
                return attempt()
            except (KilledWorker, UnsettledError) as error:
                reason = str(error)  # alone: the traceback holds futures
            prepare(min(0.2 * i, 2) * random.random())
        raise RuntimeError(
            f"Workers died {MAX_TRIES} times in the same tasks: they may need more memory than a "
            f"worker has, or smaller partitions ({reason})"
        )

    def release(self, futures: Sequence[Any]) -> None:
        """Let the cluster forget results, and stop tasks that nothing else needs.

        Not cancelled: that would be the end of tasks that need them, too.
        """
        for future in futures:
            with contextlib.suppress(Exception):  # of a client that is closed
                future.release()


def _result(future: Any) -> Any:
    try:
        return future.result()
    except AttributeError as error:
        # Dask's, of a task that failed and is tried again at this moment.
        if "with_traceback" in str(error):
            raise UnsettledError(future.key) from error
        raise


@contextlib.contextmanager
def cluster_of(client: Any, timeout: float) -> Iterator[Cluster]:
    """Return the cluster of a client; None is that of a task's worker, or else the newest one.

    Raises
    ------
    ValueError, TypeError
        If there is none, or it is something else.
    """
    from distributed import Client, default_client, get_worker, worker_client

    if client is None and _is_task(get_worker):
        with worker_client() as own:
            yield Cluster(own, timeout)
        return
    if client is None:
        try:
            client = default_client()
        except ValueError as error:
            raise ValueError(
                "There is no client of Dask: make one first, as in client = "
                "distributed.Client(cluster), or set model.client"
            ) from error
    if not isinstance(client, Client):
        raise TypeError(
            f"model.client must be a distributed.Client; got {type(client).__name__}. To connect "
            "to a scheduler: distributed.Client(address)"
        )
    if client.asynchronous:
        raise ValueError(
            "The client is asynchronous, and fit waits for results: make one with "
            "Client(cluster), without asynchronous=True"
        )
    yield Cluster(client, timeout)


def _is_task(get_worker: Callable[[], Any]) -> bool:
    try:
        get_worker()
    except ValueError:
        return False
    return True


def task(key: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Return a task of a graph; `reference` names the results of others."""
    from dask._task_spec import Task

    one: Any = Task(key, function, *arguments)
    if hasattr(one, "_token"):  # by which graphs are told apart: names are new in each of them
        one._token = key
    return one


def reference(key: str) -> Any:
    """Return what stands for the result of a task."""
    from dask._task_spec import TaskRef

    return TaskRef(key)
