"""Workers, on this machine or on a Dask cluster, and the loop that keeps them busy."""

import asyncio
import contextlib
import ctypes
import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import psutil
from tqdm import tqdm

from anomalylib.errors import UserError, first_line
from study.checkout import ROOT

RETRIES = 3  # of a task whose worker was killed, as Dask has it
PATIENCE = 5.0  # seconds in which a scheduler must answer, and then have a worker
LOOK = 2.0  # seconds between looks at how many workers a cluster has
LOST = "the Dask scheduler has gone: start it again, and run again to go on from here"
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PRCTL = getattr(ctypes.CDLL(None), "prctl", None)
_ALONE = threading.Lock()


class WorkerKilled(Exception):
    """The process that did a task's work was killed from outside."""


class Processes(futures.Executor):
    """Processes on this machine, one task each; quiet ones draw no progress bars."""

    def __init__(self, count: int, quiet: bool = False):
        self.width = count  # how many tasks there may be at a time
        self.threads = max(1, cores() // count)  # CPU threads for each of them
        self._quiet = quiet
        _begin_tracker()
        self._pools: dict[int, futures.Executor] = {}  # a killed process breaks but its own
        self._tasks: list[futures.Future | None] = [None] * count

    def submit(self, call: Callable, /, *arguments: Any) -> futures.Future:
        """Begin a task; fewer than `width` may be under way."""
        free = next(i for i, task in enumerate(self._tasks) if task is None or task.done())
        try:
            self._tasks[free] = self._pools[free].submit(call, *arguments)
        except (KeyError, BrokenProcessPool):  # not begun; by the task before, or while idle
            self._pools[free] = self._pool()
            self._tasks[free] = self._pools[free].submit(call, *arguments)
        return self._tasks[free]

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """End the processes, at once after an interrupt: the next run begins what they did."""
        if kind is not None:
            for process in multiprocessing.active_children():
                end_tree(process.pid)
        for pool in self._pools.values():
            pool.shutdown()

    def _pool(self) -> futures.ProcessPoolExecutor:
        options = {"mp_context": multiprocessing.get_context("spawn"), "initializer": _begin}
        return futures.ProcessPoolExecutor(1, initargs=(self._quiet,), **options)


class Cluster(futures.Executor):
    """The workers of a Dask cluster, one task each.

    They must see the study's folder under the same path. If the package is missing, nobody
    answers at ``tcp://host:port``, or there is no worker, that is a `UserError`.
    """

    def __init__(self, address: str, most: int | None = None):  # most: tasks at a time
        try:
            from distributed import Client
        except ImportError:
            install = "pip install --constraint constraints.txt --editable '.[cluster]'"
            raise UserError(f"SCHEDULER needs the package distributed: {install}") from None
        for name in ("distributed", "distributed.client"):  # errors are worded here
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            asyncio.run(asyncio.wait_for(_greet(address), PATIENCE))
            self._client = Client(address, timeout=PATIENCE, set_as_default=False)
        except Exception as error:  # a wrong address has many
            why = "" if isinstance(error, TimeoutError) else f" ({first_line(error)})"
            raise UserError(
                f"no Dask scheduler answers at SCHEDULER={address}{why}: "
                "start one with `dask scheduler`, or leave SCHEDULER empty"
            ) from None
        try:
            self._client.wait_for_workers(1, timeout=PATIENCE)
            self.threads = min(self._client.nthreads().values())  # of the smallest worker
        except Exception:
            self._client.close()
            raise UserError(
                f"the Dask scheduler at SCHEDULER={address} has no workers: "
                f"start some with `dask worker {address} --nworkers 2 --nthreads 1`"
            ) from None
        self._most = most
        # An answer to the same question is not to be taken from the cluster's memory.
        self._executor = self._client.get_executor(pure=False)
        (ROOT / "build").mkdir(exist_ok=True)
        handle, self._sign = tempfile.mkstemp(dir=ROOT / "build", prefix="cluster-")
        os.close(handle)

    @property
    def width(self) -> int:
        """How many tasks there may be at a time: as many as there are workers now."""
        try:
            count = len(self._client.nthreads())
        except OSError:
            raise UserError(LOST) from None
        return max(1, min(count, self._most or count))

    def submit(self, call: Callable, /, *arguments: Any) -> futures.Future:
        """Begin a task on a worker that is free."""
        return self._executor.submit(_on_cluster, self._sign, Path.cwd(), call, *arguments)

    def __exit__(self, *error: Any) -> None:
        """Leave the cluster; what still runs there comes to its end and is forgotten."""
        self._executor.shutdown(wait=False)
        self._client.close()
        Path(self._sign).unlink(missing_ok=True)


def workers(
    jobs: int | None = None, scheduler: str = "", quiet: bool = False
) -> Processes | Cluster:
    """Open workers, for ``with``: of a Dask scheduler, or one process a core unless `jobs` says."""
    return Cluster(scheduler, jobs) if scheduler else Processes(jobs or cores(), quiet)


def complete(
    call: Callable, tasks: Sequence[tuple], executor: Processes | Cluster
) -> Iterator[tuple[int, Any, Exception | None]]:
    """Call a function with each task's arguments; gives number, result and error as they end.

    A task whose worker was killed is done again after those that wait; after `RETRIES`, that is
    a `UserError`. When the caller is interrupted, those that wait are not begun.
    """
    waiting, running, killed = deque(range(len(tasks))), {}, Counter()
    try:
        while waiting or running:
            for _ in range(min(len(waiting), executor.width - len(running))):
                number = waiting.popleft()
                running[executor.submit(call, *tasks[number])] = number
            ended = futures.wait(running, LOOK, futures.FIRST_COMPLETED).done
            while ended:
                number, result, error = _outcome(ended.pop(), running)
                killed[number] += (deaths := _deaths(error))
                again = not hasattr(error, "allowed_failures")  # Dask has done it again itself
                if deaths and again and killed[number] <= RETRIES:
                    waiting.append(number)
                    continue
                if deaths:
                    error = UserError(
                        f"its worker was killed {killed[number]} times, for want of memory "
                        "perhaps: run again with fewer JOBS or where there is more memory"
                    )
                yield number, result, error
    finally:
        for future in running:
            future.cancel()


def cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end what runs inside as Ctrl-C does: once, by a KeyboardInterrupt.

    It holds the number of the signal. One that is ignored from the start, as by ``nohup``,
    stays so.
    """
    usual = {number: signal.getsignal(number) for number in STOPPING}
    usual = {number: old for number, old in usual.items() if old is not signal.SIG_IGN}

    def stop(number: int, _frame: Any) -> None:
        for each in usual:
            signal.signal(each, signal.SIG_IGN)  # nothing interrupts the ending
        raise KeyboardInterrupt(number)

    try:
        for number in usual:
            signal.signal(number, stop)
        yield
    finally:
        for number, old in usual.items():
            signal.signal(number, old)


def end_tree(process: int) -> None:
    """Kill a process and all below it, each stopped first, so that it begins no other."""
    with contextlib.suppress(psutil.Error):
        whole = psutil.Process(process)
        whole.suspend()
        for child in whole.children():
            end_tree(child.pid)
        whole.kill()


def end_with_parent() -> None:
    """Let a command, as its ``preexec_fn``, end when its parent is killed; Linux can do that."""
    if sys.platform == "linux":
        PRCTL(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _begin_tracker() -> None:
    """Begin the process that frees what killed ones have held, without a warning of each."""
    sys.warnoptions.append("ignore::UserWarning:multiprocessing.resource_tracker")
    resource_tracker.ensure_running()
    sys.warnoptions.pop()


def _begin(quiet: bool) -> None:
    """Prepare a process: quiet where asked for, and not to outlive the one that began it."""
    if quiet:  # TQDM_DISABLE would come too late: the main module has imported tqdm before
        make = tqdm.__init__
        tqdm.__init__ = lambda bar, *given, **named: make(bar, *given, **named | {"disable": True})
    signal.signal(signal.SIGINT, lambda *_: None)  # of a terminal, which asks the runner too
    for number in STOPPING[1:]:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: _end())
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    """Wait until the process that began this one is gone."""
    multiprocessing.parent_process().join()
    _end()


def _end() -> None:
    """End this process, and what it has begun."""
    for child in psutil.Process().children():
        end_tree(child.pid)
    os._exit(1)


def _outcome(
    future: futures.Future, running: dict[futures.Future, int]
) -> tuple[int, Any, Exception | None]:
    """Take a future out; a cluster would do a task again whose answer is held and lost."""
    number = running.pop(future)
    try:
        return number, future.result(), None
    except futures.CancelledError:
        raise UserError(LOST) from None
    except Exception as error:
        if isinstance(error.__cause__, ImportError):  # in Dask's own words three lines
            why = first_line(error.__cause__)
            error = UserError(f"a worker was started outside the study's environment: {why}")
        return number, None, error


def _deaths(error: Exception | None) -> int:
    """How many workers a task has cost, by the error that it ended with."""
    if isinstance(error, BrokenProcessPool | WorkerKilled):
        return 1
    return getattr(error, "allowed_failures", -1) + 1  # of Dask's KilledWorker


async def _greet(address: str) -> None:
    """Shake hands with a scheduler; Client waits for ever where something else listens."""
    from distributed.comm import connect
    from distributed.security import Security

    comm = await connect(address, **Security().get_connection_args("client"))
    await comm.close()


def _on_cluster(sign: str, folder: Path, call: Callable, *arguments: Any) -> Any:
    """Do a task on a cluster's worker as a process here would: in the caller's folder and alone."""
    if not (Path(sign).is_relative_to(ROOT) and Path(sign).is_file()):
        here = Path(sign).parents[1]
        raise UserError(
            f"a worker on {socket.gethostname()} has its study in {ROOT}, and that is not "
            f"{here} of this machine: start it from that folder, on a file system both share"
        )
    with _ALONE, contextlib.chdir(folder):  # torch's threads, random numbers: one set a process
        return call(*arguments)
