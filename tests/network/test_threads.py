"""Worker threads: when they are used, whether they pay, and that no result depends on them."""

import _thread
import itertools
import multiprocessing
import queue
import signal
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cases import interrupted_at

import fastbp
from fastbp.network import threads as threads_module
from fastbp.network.threads import MAX_PATIENCE, MIN_PATIENCE, ThreadTuner, Workers, thread_count

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(600, 20))
NUMBERS = RANDOM.integers(0, 3, 600)


@pytest.fixture(autouse=True)
def _small_shares(monkeypatch):
    monkeypatch.setattr(threads_module, "MIN_OPERATIONS", 1)


def trained(n_threads, n_epochs=6):
    """The parameters after some epochs of batches that are not a whole number of blocks."""
    network = fastbp.Network((20, 30, 3), loss="log_loss", random_state=0)
    for _ in range(n_epochs):
        network.train_epoch(X, NUMBERS, 0.01, solver="adam", batch_size=57, n_threads=n_threads)
    return network._arena.values


def test_the_number_of_threads_is_as_large_as_there_is_work_for(monkeypatch):
    monkeypatch.setattr(threads_module, "MIN_OPERATIONS", 1e5)
    assert thread_count(8, 99_000) == 1
    assert thread_count(8, 250_000) == 2
    assert thread_count(2, 1e9) == 2


def choices(tuner, seconds, n):
    """What is chosen for n pieces, given the times with workers and with one thread."""
    made = []
    for _ in range(n):
        made.append(tuner.use_threads())
        tuner.record(made[-1], seconds[made[-1]])
    return made


def test_workers_that_pay_stay_and_are_questioned_ever_more_seldom():
    tuner = ThreadTuner()
    assert choices(tuner, {True: 1.0, False: 2.0}, 2) == [True, False]
    for patience in (2 * MIN_PATIENCE, 4 * MIN_PATIENCE, 8 * MIN_PATIENCE):
        made = choices(tuner, {True: 1.0, False: 2.0}, patience + 1)
        assert made == [True] * patience + [False]
    choices(tuner, {True: 1.0, False: 2.0}, 10 * MAX_PATIENCE)
    made = choices(tuner, {True: 1.0, False: 2.0}, 10 * (MAX_PATIENCE + 1))
    assert made.count(False) == 10


def test_workers_that_do_not_pay_go_and_come_back_when_they_do():
    tuner = ThreadTuner()
    choices(tuner, {True: 3.0, False: 2.0}, 2)
    assert choices(tuner, {True: 3.0, False: 2.0}, MIN_PATIENCE) == [False] * MIN_PATIENCE
    later = choices(tuner, {True: 1.0, False: 2.0}, MIN_PATIENCE + 2)
    assert later == [True] * (MIN_PATIENCE + 1) + [False]


def test_pieces_are_timed_and_get_workers_in_turns():
    tuner, given = ThreadTuner(), []
    for _ in range(2):
        with tuner.timed(10) as others:
            given.append(others)
    assert isinstance(given[0], Workers)
    assert given[1] is None


@pytest.mark.parametrize("n_threads", [2, 3, 16])
@pytest.mark.parametrize("wanted", [True, False])
def test_with_workers_or_without_the_bits_are_the_same(n_threads, wanted, monkeypatch):
    monkeypatch.setattr(ThreadTuner, "use_threads", lambda tuner: wanted)
    np.testing.assert_array_equal(trained(n_threads), trained(1))


def test_workers_take_part(monkeypatch):
    """Every thread that is asked for comes, even where one alone could do all."""
    monkeypatch.setattr(ThreadTuner, "use_threads", lambda tuner: True)
    threads, came, submit = [], threading.Event(), Workers.submit

    def noting(workers, call):
        def work():
            threads.append(threading.get_ident())
            came.set()
            call()

        submit(workers, work)

    monkeypatch.setattr(Workers, "submit", noting)
    trained(3, n_epochs=20)
    assert came.wait(60)  # a busy machine may run it only when training is over
    assert threading.get_ident() not in threads


def test_predictions_of_many_rows_do_not_depend_on_workers(monkeypatch):
    network = fastbp.Network((20, 30, 3), loss="log_loss", random_state=0)
    alone = network.forward(X)
    for wanted in (True, False):
        monkeypatch.setattr(ThreadTuner, "use_threads", lambda tuner, wanted=wanted: wanted)
        np.testing.assert_array_equal(network.forward(X, n_threads=5), alone)


def test_where_no_more_threads_are_to_be_had_training_goes_on_without(monkeypatch):
    monkeypatch.setattr(ThreadTuner, "use_threads", lambda tuner: True)
    expected = trained(1)

    def start(*_):
        raise RuntimeError("can't start new thread")

    nobody = Workers()
    monkeypatch.setattr(threads_module, "workers", lambda: nobody)
    with monkeypatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", start)
        np.testing.assert_array_equal(trained(3), expected)
    np.testing.assert_array_equal(trained(3), expected)  # and asks again


def test_threads_are_started_for_work_that_none_waits_for_up_to_the_most():
    workers, go_on, threads = Workers(3), threading.Event(), queue.SimpleQueue()

    def work():
        threads.put(threading.get_ident())
        go_on.wait(60)

    for _ in range(5):
        workers.submit(work)
    begun = {threads.get(timeout=20) for _ in range(3)}
    assert len(begun) == 3
    assert threads.empty()
    go_on.set()
    assert {threads.get(timeout=20) for _ in range(2)} <= begun
    assert_all_serve(workers, 3)


def test_threads_that_wait_serve_again_and_keep_nothing_of_what_they_did():
    workers = Workers()
    for _ in range(3):
        done, work = threading.Event(), Work()
        workers.submit(work.do)
        kept = weakref.ref(work)
        del work
        workers.submit(done.set)
        assert done.wait(20)
        assert_soon(lambda: kept() is None and workers._idle.qsize() == workers._n_started)  # noqa: B023
    assert workers._n_started <= 2


class Work:
    def do(self):
        pass


def assert_soon(condition):
    """Wait until this is so, for 20 s at the most."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def assert_all_serve(workers, n):
    """Have n threads do something at the same time, for which all must be free."""
    everybody = threading.Barrier(n + 1)
    for _ in range(n):
        workers.submit(lambda: everybody.wait(20))
    everybody.wait(20)


class Interrupted(Workers):
    """Asks for help, and is then interrupted by Ctrl-C, every second time."""

    n_asked = 0

    def submit(self, work):
        super().submit(work)
        self.n_asked += 1
        if self.n_asked % 2 == 0:
            raise KeyboardInterrupt


def test_ctrl_c_while_workers_are_asked_leaves_none_at_work(monkeypatch):
    monkeypatch.setattr(ThreadTuner, "use_threads", lambda tuner: True)
    workers = Interrupted(2)
    monkeypatch.setattr(threads_module, "workers", lambda: workers)
    for _ in range(20):
        with pytest.raises(KeyboardInterrupt):
            trained(4)
    monkeypatch.setattr(Interrupted, "submit", Workers.submit)
    assert_all_serve(workers, 2)


@pytest.mark.parametrize("waiting", [False, True])
def test_ctrl_c_at_any_call_while_asking_lets_others_ask(waiting):
    for nth in itertools.count(1):
        workers = Workers(2)
        if waiting:
            workers.submit(bool)
            assert_soon(workers._idle.qsize)
        was_interrupted = interrupted_at(nth, workers.submit, bool)
        served = threading.Event()
        threading.Thread(target=workers.submit, args=[served.set], daemon=True).start()
        assert served.wait(20), f"nobody can ask after an interrupt at call {nth}"
        assert_all_serve(workers, 2)
        if not was_interrupted:
            break
    assert nth > 3


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers that interrupt")
def test_ctrl_c_at_any_time_leaves_no_worker_at_work_and_the_network_usable(monkeypatch):
    monkeypatch.setattr(ThreadTuner, "use_threads", lambda tuner: True)
    workers, expected = Workers(2), trained(1)
    monkeypatch.setattr(threads_module, "workers", lambda: workers)
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    network = fastbp.Network((20, 30, 3), loss="log_loss", random_state=0)

    def train_until_interrupted(after):
        signal.setitimer(signal.ITIMER_REAL, after)
        while True:
            network.train_epoch(X, NUMBERS, 0.01, batch_size=57, n_threads=3)

    try:
        for after in RANDOM.uniform(0.001, 0.03, size=40):
            with pytest.raises(KeyboardInterrupt):
                train_until_interrupted(after)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    np.testing.assert_array_equal(trained(3), expected)
    assert np.isfinite(network.forward(X)).all()
    assert_all_serve(workers, 2)


def test_many_models_in_threads_that_all_want_workers(monkeypatch):
    monkeypatch.setattr(ThreadTuner, "use_threads", lambda tuner: True)
    expected = trained(1)
    with ThreadPoolExecutor(4) as pool:
        for parameters in pool.map(trained, [2, 3, 4, 5] * 3):
            np.testing.assert_array_equal(parameters, expected)


def test_first_callers_at_the_same_time_share_their_workers(monkeypatch):
    made, everybody = [], threading.Barrier(4)

    class Slow(Workers):
        def __init__(self):
            made.append(self)
            time.sleep(0.05)  # for as long as that the others look as well
            super().__init__()

    def first_call(_):
        everybody.wait(timeout=30)
        return threads_module.workers()

    with ThreadPoolExecutor(4) as pool, monkeypatch.context() as patch:
        patch.setattr(threads_module, "_workers", None)
        patch.setattr(threads_module, "Workers", Slow)
        found = list(pool.map(first_call, range(4)))
    assert len(made) == 1
    assert set(found) == set(made)


def test_a_child_does_not_wait_for_a_lock_that_its_parent_held(monkeypatch):
    monkeypatch.setattr(threads_module, "_workers", None)
    monkeypatch.setattr(threads_module, "_starting", threading.Lock())
    with threads_module._starting:
        threads_module._forget_workers()  # as in a child, forked just now
        assert not threads_module._starting.locked()


def in_child(results):
    results.put(trained(2).tobytes())


@pytest.mark.skipif(sys.platform != "linux", reason="forks, as Linux does safely")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_workers_of_its_own(monkeypatch):
    monkeypatch.setattr(ThreadTuner, "use_threads", lambda tuner: True)
    expected = trained(2)  # the parent's workers are up
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=in_child, args=[results])
    child.start()
    assert results.get(timeout=60) == expected.tobytes()
    child.join(60)
    assert child.exitcode == 0
