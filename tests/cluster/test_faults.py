"""Workers that die, restart, retire or stand still, interrupts, lost schedulers: the same bits."""

import _thread
import copy
import os
import random
import signal
import threading
import time

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster
from rows import HereEngine, X, arrays, classifier, regressor, same

from fastbp.dask import base, engine
from fastbp.distributed import Training

N_ROUNDS = 30


@pytest.fixture(scope="module")
def faulty():
    """A cluster of its own, whose workers are killed."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as own:
        yield own


@pytest.fixture
def client(faulty):
    with Client(faulty, set_as_default=True) as own:
        revive(faulty)
        own.wait_for_workers(2, timeout=60)
        yield own


def model(**others):
    return classifier(rounds=N_ROUNDS, n_shards=4, **others)


@pytest.fixture(scope="module")
def usual():
    """What comes of the fit without a fault, and without a cluster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "Engine", HereEngine)
        patch.setattr(base, "cluster_of", lambda *_: LocalClient())
        return model().fit(*arrays())


class LocalClient:
    def __enter__(self):
        return None

    def __exit__(self, *_):
        return None


def pids(cluster):
    """Return the processes of the workers that work: nannies give up those that die at first."""
    there = list(cluster.scheduler.workers)
    return [one.pid for one in cluster.workers.values() if one.pid and one.worker_address in there]


def revive(cluster):
    """Start workers in place of those whose nannies gave up, as a cluster's manager does."""
    if not cluster.status.name.startswith("clos"):
        cluster.scale(2)


def after_round(monkeypatch, number, act):
    """Do something once, while the tasks of a round are under way."""
    run, n_runs = engine.Engine.run, []

    def run_and_count(self, *arguments):
        n_runs.append(1)
        if len(n_runs) == number:
            threading.Timer(0.01, act).start()
        return run(self, *arguments)

    monkeypatch.setattr(engine.Engine, "run", run_and_count)


def test_however_many_workers_die(client, faulty, usual):
    n_kills = int(os.environ.get("FASTBP_KILLS", "10"))
    moments, killed, is_over = random.Random(n_kills), [], threading.Event()

    def kill_now_and_then():
        while len(killed) < n_kills and not is_over.wait(moments.uniform(0.02, 0.8)):
            revive(faulty)
            for pid in moments.sample(found := pids(faulty), min(1, len(found))):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        n_fits = 0
        while killer.is_alive() or not n_fits:
            same(model().fit(*arrays()), usual)
            n_fits += 1
    finally:
        is_over.set()
        killer.join()
    assert len(killed) == n_kills


def test_both_workers_at_once(client, faulty, usual, monkeypatch):
    def kill_all():
        for pid in pids(faulty):
            os.kill(pid, signal.SIGKILL)
        threading.Timer(5.0, revive, (faulty,)).start()

    after_round(monkeypatch, 5, kill_all)
    same(model().fit(*arrays()), usual)


def test_a_worker_that_stands_still(client, faulty, usual, monkeypatch):
    def stop():
        pid = pids(faulty)[0]
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(1.0, os.kill, (pid, signal.SIGCONT)).start()

    after_round(monkeypatch, 5, stop)
    same(model().fit(*arrays()), usual)


def test_a_worker_that_retires_and_one_that_comes(client, faulty, usual, monkeypatch):
    after_round(monkeypatch, 5, lambda: faulty.scale(1))
    same(model().fit(*arrays()), usual)
    end = time.monotonic() + 30
    while len(faulty.workers) > 1:
        assert time.monotonic() < end
        faulty.scale(1)  # again, where Dask has begun another worker in place of the one that went
        time.sleep(0.1)
    monkeypatch.undo()
    after_round(monkeypatch, 2, lambda: faulty.scale(2))
    same(model().fit(*arrays()), usual)


def test_workers_that_die_while_predictions_are_made(client, faulty, usual):
    def slowly(block):
        time.sleep(0.2)
        return block

    expected = usual.predict(X)
    lazy = usual.predict(arrays()[0].map_blocks(slowly, meta=np.empty((0, 4))))
    future = client.compute(lazy)
    time.sleep(0.3)
    os.kill(pids(faulty)[0], signal.SIGKILL)
    assert np.array_equal(future.result(timeout=60), expected)


def test_an_interrupt_keeps_the_last_average_and_cancels(client, usual, monkeypatch):
    after_round(monkeypatch, 7, _thread.interrupt_main)
    own = model()
    with pytest.raises(KeyboardInterrupt):
        own.fit(*arrays())
    monkeypatch.undo()
    n_rounds = len(own.history_["round"])
    assert n_rounds >= 6
    assert own.history_["loss"] == usual.history_["loss"][:n_rounds]
    assert own.predict(X).shape == (150,)
    end = time.monotonic() + 20
    while any("fastbp_train" in key for key in client.run_on_scheduler(keys_of)):
        assert time.monotonic() < end
        time.sleep(0.1)
    same(model().fit(*arrays()), usual)


def keys_of(dask_scheduler):
    return list(map(str, dask_scheduler.tasks))


def test_a_lost_scheduler_and_a_new_one(usual, monkeypatch, tmp_path, faulty):
    path, own = tmp_path / "fit.fbp", model()
    with dask.config.set({"distributed.comm.timeouts.connect": "2s"}):
        lost = LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=":0", processes=False
        )
        with Client(lost, set_as_default=False) as first:
            own.client = first
            after_round(monkeypatch, 8, lost.close)
            with pytest.raises(RuntimeError, match=r"The scheduler was lost in round \d+ of 30"):
                own.fit(*arrays(), checkpoint=path)
    monkeypatch.undo()
    n_rounds = len(own.history_["round"])
    assert 7 <= n_rounds < N_ROUNDS
    with Client(faulty, set_as_default=False) as second:
        again = model()
        again.client = second
        again.fit(*arrays(), checkpoint=path, resume=True)
        same(again, usual)
        assert again.history_["loss"] == usual.history_["loss"]
        other = classifier(rounds=N_ROUNDS, n_shards=3)
        other.client = second
        with pytest.raises(ValueError, match=r"is of another fit: it has n_shards 4, this one 3"):
            other.fit(*arrays(), checkpoint=path, resume=True)
        for name, value in {"activation": "tanh", "shuffle": False, "power_t": 0.3}.items():
            other = model(**{name: value})
            other.client = second
            with pytest.raises(ValueError, match=r"is of another fit"):
                other.fit(*arrays(), checkpoint=path, resume=True)
        path.write_bytes(b"nothing")
        with pytest.raises(ValueError, match=r"fit\.fbp"):
            again.fit(*arrays(), checkpoint=path, resume=True)


def test_a_fit_that_goes_on_from_another_resumes_to_the_same_bits(monkeypatch, tmp_path):
    monkeypatch.setattr(base, "Engine", HereEngine)
    monkeypatch.setattr(base, "cluster_of", lambda *_: LocalClient())
    first = classifier(warm_start=True, n_shards=1, rounds=10).fit(*arrays())
    whole, stopped, resumed = (copy.deepcopy(first) for _ in range(3))
    whole.fit(*arrays())
    accept, path = Training.accept, tmp_path / "fit.fbp"

    def interrupted(self, result):
        if self.number == 2:
            raise KeyboardInterrupt
        return accept(self, result)

    monkeypatch.setattr(Training, "accept", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(*arrays(), checkpoint=path)
    monkeypatch.setattr(Training, "accept", accept)
    resumed.fit(*arrays(), checkpoint=path, resume=True)
    same(resumed, whole)


def test_memory_of_workers():
    """At most a partition more than the rows that Dask holds: nothing is concatenated.

    Of one worker, since among several Dask moves blocks as it likes.
    """
    n, m = 400_000, 10  # 32 MB
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as own,
        Client(own, set_as_default=True) as client,
    ):
        rows = da.random.RandomState(0).normal(size=(6 * n, m), chunks=(n, m)).persist()
        targets = rows[:, 0].persist()
        dask.compute(rows.sum())  # and what it takes to work with them
        client.run(forget_peak)
        before = client.run(peak)
        regressor(rounds=2, rows_per_round=1.0, n_shards=2).fit(rows, targets)
        (grown,) = (most - before[worker] for worker, most in client.run(peak).items())
    assert grown < 1.5 * 8 * n * (m + 1) / 2**20 + 40


def forget_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def peak():
    """Return the most memory that this process has had, in MiB."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
