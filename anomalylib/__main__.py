"""The command line: ``python -m anomalylib book | notebooks | data | …``."""

import argparse
import sys
import time
from pathlib import Path

from anomalylib.errors import StudyError, first_line
from anomalylib.files import ROOT
from anomalylib.settings import PARTS


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code. A user's error is one line."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "data":
            return _data()
        if options.command == "headline":
            return _headline()
        if options.command == "inspect":
            return _inspect(options)
        if options.command in ("reference", "sensitivity", "trials"):
            return _measure(options)
        return _study(options)
    except (StudyError, OSError) as error:
        print(f"error: {first_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; run again to go on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="anomalylib", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("data", help="fetch MVTec AD (5 GB)")
    commands.add_parser("headline", help="write the README's chart and table")
    command = commands.add_parser("inspect", help="judge pictures with a saved detector")
    command.add_argument("pictures", nargs="+", help="files or folders")
    command.add_argument("--detector", required=True, help="file that a notebook has written")
    command.add_argument("--weights", default="", help="the backbone's file, where it had one")
    command.add_argument("--json", action="store_true", help="print JSON, not a table")
    command.add_argument("--csv", default="", help="write the table to this file")
    command.add_argument("--html", default="", help="write a report with pictures to this file")
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
    from anomalylib.download import fetch_mvtec

    folder = fetch_mvtec()
    print(f"MVTec AD is in {folder}; now: make book DATA_ROOT={folder.relative_to(ROOT)}")
    return 0


def _headline() -> int:
    from anomalylib import headline

    headline.write()
    print(f"written: {headline.PICTURE.relative_to(ROOT)}, {headline.README.relative_to(ROOT)}")
    return 0


def _inspect(options: argparse.Namespace) -> int:
    """Judge pictures; 0 where all are normal, 1 where one is not, 2 where one is unreadable."""
    from anomalylib.files import written_whole
    from anomalylib.inspection import ANOMALOUS, UNREADABLE, as_json, as_table, inspect, pictures_of
    from anomalylib.report import summary, write_report
    from anomalylib.saved import load

    pictures = pictures_of(options.pictures)
    detector = load(options.detector, options.weights)
    findings = inspect(detector, pictures)
    table = as_table(findings)
    if options.csv:
        with written_whole(Path(options.csv)) as beside:
            table.to_csv(beside, index=False)
    if options.html:
        write_report(detector, findings, Path(options.html))
    if options.json:
        print(as_json(findings))
    else:
        print(table[["decision", "score", "threshold", "image"]].to_string(index=False))
        print(summary(findings))
    for found in findings:
        if found.reason:
            print(f"error: {found.reason}", file=sys.stderr)
    decisions = {found.decision for found in findings}
    return 2 if UNREADABLE in decisions else int(ANOMALOUS in decisions)


def _study(options: argparse.Namespace) -> int:
    """Execute what is stale; for `book`, render it; say what was done."""
    from anomalylib.engine import cores, workers
    from anomalylib.run import run_stages
    from anomalylib.study import check_weights, open_study, parse_parameters

    categories = options.categories.replace(",", " ").split()
    if not categories:
        raise StudyError("no category: give CATEGORIES one name or more")
    if options.command == "pdf":
        from anomalylib.pdf import find_browser

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
        from anomalylib.pdf import print_book

        start = time.perf_counter()
        where = print_book(study)
        seconds["printed"] = time.perf_counter() - start
    if options.command == "book":
        from anomalylib.book import build_book

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
    from anomalylib import reference, sensitivity, trials
    from anomalylib.data import dataset_name
    from anomalylib.engine import cores
    from anomalylib.experiment import Experiment, resolve_backbones
    from anomalylib.tables import REFERENCE

    if not options.data_root:
        raise StudyError("real parts are needed: DATA_ROOT=data/mvtec, which `make data` fetches")
    categories = list(dict.fromkeys(options.categories.replace(",", " ").split()))
    jobs = _jobs(options, default=cores())
    folder = Path(options.output) if options.output else REFERENCE
    if not options.output and sorted(categories) != list(PARTS):
        raise StudyError(f"the book's chapters are about {' and '.join(PARTS)}: give OUTPUT=folder")
    if not options.output and dataset_name(Path(options.data_root))[1]:
        raise StudyError("drawn parts give no reference results: give OUTPUT=folder to try it")
    start = time.perf_counter()
    kind = trials.Trials if options.command == "trials" else Experiment
    experiment = kind(options.data_root, resolve_backbones(options.weights.split()))
    if options.command == "reference":
        runs = reference.reference_runs(categories, list(experiment.backbones))
        measured = experiment.carry_out(runs, jobs, options.scheduler)
        reference.collect(experiment, runs, folder)
    elif options.command == "trials":
        runs = trials.trial_runs(experiment, categories)
        measured = experiment.carry_out(runs, jobs, options.scheduler)
        trials.collect(experiment, runs, folder)
    else:
        pairs = sensitivity.sensitivity_runs(experiment, categories)
        runs = [run for _, run in pairs]
        measured = experiment.carry_out(runs, jobs, options.scheduler)
        sensitivity.collect(experiment, pairs, folder)
    spent = time.perf_counter() - start
    print(f"{measured} of {len(runs)} runs measured now, {spent:.0f} s; tables in {folder}")
    return 0


def _jobs(options: argparse.Namespace, default: int) -> int | None:
    """How many tasks at a time; None leaves it to the cluster."""
    text = options.jobs
    if not text:
        return None if options.scheduler else default
    if not text.isdigit() or int(text) < 1:
        raise StudyError(f"JOBS must be a whole number of at least 1, not {text!r}")
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
