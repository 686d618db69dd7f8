"""A process that scores image files: ``first_decision.py ours|peer FILE WEIGHTS IMAGE...``.

It prints a line of JSON after the first decision, and one after the last. Only the standard
library at the top: all that is imported belongs to what is measured.
"""

import json
import os
import sys
import time

THREADS = 2


def main(who: str, file: str, weights: str, images: list[str]) -> None:
    """Score the first image, then the others one by one, and say what either took."""
    score = {"ours": _ours, "peer": _peer}[who](file, weights)
    score(images[0])
    print(json.dumps({"start_cpu": time.process_time()}), flush=True)
    wall, cpu = time.perf_counter(), time.process_time()
    for image in images[1:]:
        score(image)
    count = len(images) - 1
    spent = {"per_second": count / (time.perf_counter() - wall)}
    spent |= {"cpu_per_image": (time.process_time() - cpu) / count, "peak_mb": _peak()}
    print(json.dumps(spent), flush=True)


def _ours(file: str, weights: str):
    from pathlib import Path

    import torch

    import anomalylib as al

    torch.set_num_threads(THREADS)
    detector = al.load(file, weights, "cpu")
    return lambda image: detector.inspect(al.read_image(Path(image), detector.bits_)).anomalous


def _peer(file: str, _weights: str):
    os.environ["TRUST_REMOTE_CODE"] = "1"  # its files are pickled
    import torch
    from anomalib.deploy import TorchInferencer

    torch.set_num_threads(THREADS)
    inferencer = TorchInferencer(path=file, device="cpu")
    return lambda image: inferencer.predict(image=image).pred_label


def _peak() -> float:
    """Megabytes: the most that the process has held."""
    with open("/proc/self/status") as status:  # noqa: PTH123 - nothing else is imported for it
        return next(int(line.split()[1]) * 1024 / 1e6 for line in status if "VmHWM" in line)


if __name__ == "__main__":
    main(*sys.argv[1:4], sys.argv[4:])
