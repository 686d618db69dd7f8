"""A line's first decision from a cold start, and images a second after it, beside anomalib.

Both have PatchCore with one patch in a hundred of the same 100 normal images, on the same
backbone, and are handed the same image files one by one. Every repeat is a process of its own;
the two libraries take turns. anomalib's `TorchInferencer` runs in its environment, where
`make bench-peers` has made that; without it there are rows of ours only.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anomalylib as al
from study.checkout import ROOT
from tests.benchmarks.common import Row, Setup
from tests.benchmarks.models import build, images, load

THREADS = 2
LEARNED, JUDGED = 100, 61
PEERS = ROOT / os.environ.get("PEERS", ".venv-peers") / "bin" / "python"
CHILD = Path(__file__).with_name("first_decision.py")


def measure(setup: Setup) -> list[Row]:
    """Seconds to the first decision and images per second of either, a row a repeat."""
    category = load(setup, setup.categories[0])
    learned, scored = (4, 3) if setup.quick else (min(LEARNED, len(category.train)), JUDGED)
    setup.scratch.mkdir(parents=True, exist_ok=True)
    detector = build(setup, "patchcore", {}, setup.scratch)
    detector.fit(images(category.train, range(learned)))
    files = {"ours": al.save(detector, setup.scratch / "ours.safetensors")}
    interpreters = {"ours": sys.executable}
    if PEERS.is_file() and not setup.quick:
        files["peer"] = setup.scratch / "peer.pt"
        interpreters["peer"] = str(PEERS)
        export = ["-m", "tests.benchmarks.peers", "--data-root", setup.data_root]
        export += ["--weights", setup.weights, "--category", category.name]
        export += ["--export", files["peer"]]
        subprocess.run([PEERS, *export], cwd=ROOT, check=True)
    paths = [str(path) for path in category.test.paths[:scored]]
    rows = []
    for repeat in range(setup.repeats(5)):
        for who, interpreter in interpreters.items():
            command = [interpreter, CHILD, who, files[who], setup.weights, *paths]
            rows.append({"who": who, "repeat": repeat, "threads": THREADS} | _run(command))
    return rows


def _run(command: list) -> dict[str, Any]:
    """What the process says, and the wall seconds until its first decision."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        found: dict[str, Any] = {}
        for line in process.stdout:
            if line.startswith("{"):  # a library may say more
                found.setdefault("start_wall", time.perf_counter() - start)
                found |= json.loads(line)
    if process.returncode:
        raise RuntimeError(f"{command[1]} {command[2]} ended with {process.returncode}")
    return found
