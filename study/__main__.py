"""The command line: ``python -m study book | notebooks | data | …``."""

import argparse
import sys
import time
from pathlib import Path

from anomalylib.errors import UserError, first_line
from study.checkout import ROOT
from study.names import PARTS


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code. A user's error is one line."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "data":
            return _data()
        if options.command == "headline":
            return _headline()
        if options.command in ("reference", "sensitivity", "trials", "curve"):
            return _measure(options)
        return _study(options)
    except (UserError, OSError) as error:
        print(f"error: {first_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; run again to go on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="study", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("data", help="fetch MVTec AD (5 GB)")
    commands.add_parser("headline", help="write the README's chart and table")
    for name, text in (
        ("notebooks", "execute the notebooks that are stale"),
        ("book", "execute the stale notebooks and build the book"),
        ("pdf", "execute the stale notebooks and print the book"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--categories", default=" ".join(PARTS), help="names, spaced")
        command.add_argument("--data-root", default="", help="folder of categories")
        command.add_argument("--backbone", default="auto", help="auto or a backbone's name")
        command.add_argument("--weights", default="", help=".safetensors, .pth or .pt2 file")
        command.add_argument("--layers", default="", help="names, with commas")
        command.add_argument("--seed", default="0", help="of every random choice")
        command.add_argument("--profile", default="full", choices=("full", "quick"))
        command.add_argument("--jobs", default="", help="notebooks at a time")
        command.add_argument("--scheduler", default="", help="address of a Dask cluster")
        command.add_argument("--params", default="", help="more, as name=value, spaced")
    for name, text in (
        ("reference", "measure the reference results of real parts"),
        ("sensitivity", "measure what each setting does, one at a time"),
        ("trials", "measure what was tried on the way to combined+"),
        ("curve", "measure how many normal images are needed"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--categories", default=" ".join(PARTS), help="names, spaced")
        command.add_argument("--data-root", default="", help="folder of categories")
        command.add_argument(
            "--weights", default="", help="files, spaced, each as path or name=path"
        )
        command.add_argument("--jobs", default="", help="runs at a time, one thread each")
        command.add_argument("--scheduler", default="", help="address of a Dask cluster")
        command.add_argument("--output", default="", help="folder of the tables")
    return parser


def _data() -> int:
    from study.parts.download import fetch_mvtec

    folder = fetch_mvtec()
    print(f"MVTec AD is in {folder}; now: make book DATA_ROOT={folder.relative_to(ROOT)}")
    return 0


def _headline() -> int:
    from study.book import readme as headline

    headline.write()
    print(f"written: {headline.PICTURE.relative_to(ROOT)}, {headline.README.relative_to(ROOT)}")
    return 0


def _study(options: argparse.Namespace) -> int:
    """Execute what is stale; for `book`, render it; say what was done."""
    from study.book.execute import run_stages
    from study.book.options import check_weights, open_study, parse_parameters
    from study.runs.workers import cores, workers

    categories = options.categories.replace(",", " ").split()
    if not categories:
        raise UserError("no category: give CATEGORIES one name or more")
    if options.command == "pdf":
        from study.book.pdf import find_browser

        find_browser()  # before an hour of notebooks
    jobs = _jobs(options, default=min(2, cores()))
    seconds = _setup_seconds()
    start = time.perf_counter()
    with workers(jobs, options.scheduler) as executor:
        study = open_study(
            categories=list(dict.fromkeys(categories)),
            data_root=options.data_root,
            backbone=options.backbone,
            weights=options.weights,
            layers=options.layers,
            seed=options.seed,
            quick=options.profile == "quick",
            threads=executor.threads,
            jobs=options.jobs,
            parameters=parse_parameters(options.params.split()),
        )
        seconds["data and backbone"] = time.perf_counter() - start

        start = time.perf_counter()
        if any(task.stale for stage in study.stages for task in stage):
            check_weights(study.backbone)
        executed = run_stages(study.stages, executor)
    seconds[f"notebooks ({executed} executed)"] = time.perf_counter() - start

    where = study.folder / "notebooks" / f"seed{study.seed}"
    if options.command == "pdf":
        from study.book.pdf import print_book

        start = time.perf_counter()
        where = print_book(study)
        seconds["printed"] = time.perf_counter() - start
    if options.command == "book":
        from study.book.build import build_book

        start = time.perf_counter()
        where, built = build_book(study)
        seconds["book" if built else "book (unchanged)"] = time.perf_counter() - start
    for step, spent in seconds.items():
        print(f"{step:.<32} {spent:7.1f} s")
    print(f"data: {study.dataset} ({', '.join(study.categories)})")
    print(f"backbone: {study.backbone}")
    print(where)
    return 0


def _measure(options: argparse.Namespace) -> int:
    """Measure what is missing and write the tables."""
    from study.runs.commands import carry_out

    summary = carry_out(
        options.command,
        categories=options.categories.replace(",", " ").split(),
        data_root=options.data_root,
        weights=options.weights.split(),
        jobs=_jobs(options, default=None),
        scheduler=options.scheduler,
        output=options.output,
    )
    print(summary)
    return 0


def _jobs(options: argparse.Namespace, default: int | None) -> int | None:
    """How many tasks at a time; None leaves it to the cluster."""
    text = options.jobs
    if not text:
        return None if options.scheduler else default
    if not text.isdigit() or int(text) < 1:
        raise UserError(f"JOBS must be a whole number of at least 1, not {text!r}")
    return int(text)


def _setup_seconds() -> dict[str, float]:
    """How long the environment took, where this `make` has just made it."""
    fresh = Path(sys.prefix) / "setup-seconds"
    if not fresh.is_file():
        return {"environment (ready)": 0.0}
    spent = float(fresh.read_text())
    fresh.unlink()
    return {"environment": spent}


if __name__ == "__main__":
    sys.exit(main())
