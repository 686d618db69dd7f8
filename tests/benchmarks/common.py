"""What the benchmarks share: repeats in turn, a fresh process, and the machine's name.

Only the standard library at the top: the peers run in an environment of their own.
"""

import json
import multiprocessing
import os
import platform
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """What is measured on.

    Parameters
    ----------
    data_root : str
        Folder of categories.
    categories : tuple of str
    weights, layers : str
        As in the study.
    scratch : Path
        A folder for features, emptied in between.
    quick : bool
        Hardly any images and repeats: to see that everything runs.
    """

    data_root: str
    categories: tuple[str, ...]
    weights: str
    layers: str
    scratch: Path
    quick: bool = False

    def repeats(self, usual: int) -> int:
        """How often to measure."""
        return 1 if self.quick else usual


def in_turn(work: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Seconds that each piece of work takes, one after the other, several times.

    What disturbs the machine for a while disturbs all of them; the first round
    warms up and is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for repeat in range(repeats + 1):
        for name, call in work.items():
            start = time.perf_counter()
            call()
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def alone(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """Call a function in a process of its own.

    Returns
    -------
    value : object
        What the function returns.
    peak : float
        The most memory that the process has held, in megabytes, with all
        libraries it has loaded.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_quiet) as executor:
        return executor.submit(_with_peak, function, arguments).result()


def _with_peak(function: Callable[..., Any], arguments: tuple) -> tuple[Any, float]:
    return function(*arguments), _peak()


def _peak() -> float:
    """Megabytes; the system's own `ru_maxrss` would also count the parent's."""
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = (each for each in status.read_text().splitlines() if each.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if platform.system() == "Darwin" else most / 1e3


def _quiet() -> None:
    os.environ["TQDM_DISABLE"] = "1"


def machine(threads: int) -> dict[str, Any]:
    """What the numbers were measured on."""
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    """The processor's name, and what of its instructions matters here."""
    listing = Path("/proc/cpuinfo")
    if not listing.is_file():
        return platform.processor() or platform.machine()
    lines = dict(line.split(":", 1) for line in listing.read_text().splitlines() if ":" in line)
    said = {key.strip(): value.strip() for key, value in lines.items()}
    flags = set(said.get("flags", "").split())
    has = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    return f"{said.get('model name', platform.machine())} ({', '.join(has)})"


def keep(path: Path, section: str, rows: list[Row], on: dict[str, Any]) -> None:
    """Write a section's rows into the file of results; the other sections stay."""
    found = json.loads(path.read_text()) if path.is_file() else {}
    found[section] = {"machine": on, "rows": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".partial")
    beside.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    beside.replace(path)
