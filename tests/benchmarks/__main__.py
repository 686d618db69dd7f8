"""Measure what the study costs on this machine: `make bench`."""

import argparse
import importlib
import os
import shutil
from pathlib import Path

from study.checkout import ROOT
from study.names import REPORTED
from tests.benchmarks.common import Setup, keep, machine

SECTIONS = (
    "extraction",
    "training",
    "category",
    "one_image",
    "forms",
    "live",
    "precision",
    "growth",
)
SECTIONS += ("accelerator",)
REFERENCE = ROOT / "data" / "reference" / "benchmarks.json"
DRAWN = ROOT / "build" / "benchmarks.json"


def main() -> None:
    """Measure the sections asked for and write them, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data-root", default="", help="folder of categories; empty: synthetic parts"
    )
    parser.add_argument("--weights", default="", help="weights file; empty: the package's")
    parser.add_argument("--layers", default="", help="names, with commas")
    parser.add_argument("--only", default="", help=f"of {', '.join(SECTIONS)}, spaced")
    parser.add_argument("--output", default="", help="file of the results")
    parser.add_argument("--quick", action="store_true", help="hardly any work: does it run?")
    options = parser.parse_args()
    sections = options.only.split() or SECTIONS
    unknown = set(sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no benchmark {unknown.pop()!r}; there are {', '.join(SECTIONS)}")
    os.environ["TQDM_DISABLE"] = "1"
    if options.data_root:
        root, usual = options.data_root, REFERENCE
    else:
        from study.parts.synthetic import ensure_synthetic

        root, usual = str(ensure_synthetic()), DRAWN
    output = Path(options.output or usual)
    scratch = ROOT / "build" / "benchmarks"
    setup = Setup(root, REPORTED, options.weights, options.layers, scratch, options.quick)
    for section in sections:
        print(f"{section} …", flush=True)
        shutil.rmtree(scratch, ignore_errors=True)
        module = importlib.import_module(f"tests.benchmarks.{section}")
        rows = module.measure(setup)
        keep(output, section, rows, machine(getattr(module, "THREADS", 2)))
        print(f"{section}: {len(rows)} rows in {output}", flush=True)
    shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
