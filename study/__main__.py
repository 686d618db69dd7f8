"""The command line of the study: ``python -m study book``, and what else ``make`` calls."""

import argparse
import signal
import sys
import time
from pathlib import Path

from anomalylib.errors import UserError, first_line
from study.book.options import Options, Study
from study.checkout import ROOT
from study.runs.commands import COMMANDS
from study.runs.workers import stopped_by_signals

BUILDING = {
    "notebooks": "execute the notebooks of the categories that are stale, and no chapter",
    "book": "execute the stale notebooks and build the book",
    "pdf": "execute the stale notebooks and print the book",
}
OTHERS = {"data": "fetch MVTec AD (5 GB)", "headline": "write the README's chart and table"}
MAKING = "make the weights file of a backbone that cannot be downloaded"


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code. A user's error is one line."""
    try:
        if not (ROOT / "notebooks").is_dir():
            raise UserError("the study runs in its checkout: clone it, then `make book`")
        given = vars(_parser().parse_args(arguments))
        with stopped_by_signals():
            _carry_out(given.pop("command"), given)
    except (UserError, OSError) as error:
        print(f"error: {first_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("stopped; run again to go on from here", file=sys.stderr)
        return 128 + (stop.args[0] if stop.args else signal.SIGINT)
    return 0


def _carry_out(command: str, given: dict[str, str]) -> None:
    if command == "data":
        from study.parts.download import fetch_mvtec

        folder = fetch_mvtec().relative_to(ROOT)
        print(f"MVTec AD is in {folder}; now: make book DATA_ROOT={folder}")
    elif command == "headline":
        from study.book import readme

        readme.write()
        written = [path.relative_to(ROOT) for path in (readme.PICTURE, readme.README)]
        print(f"written: {written[0]}, {written[1]}")
    elif command == "weights":
        from study.weights import FILE, make

        path = Path(given["output"] or FILE)
        print(*make(given["name"], Path(given["folder"]), path), sep="\n")
        print(f"now: make book BACKBONE={given['name']} WEIGHTS={path}")
    elif command in COMMANDS:
        _measure(command, Options.read(given))
    else:
        _build(command, Options.read(given))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m study", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = {name: f"measure the tables of {name}" for name in COMMANDS}
    for name, text in (BUILDING | measuring | OTHERS).items():
        command = commands.add_parser(name, help=text)
        for option, field in Options.model_fields.items() if name not in OTHERS else ():
            command.add_argument(f"--{option.replace('_', '-')}", help=field.description)
    weights = commands.add_parser("weights", help=MAKING)
    weights.add_argument("name", help="resnet50-he")
    weights.add_argument("folder", help="of its tensors, as book/methods.md says")
    weights.add_argument("--output", help="file to write; without it, one in data/weights")
    return parser


def _measure(command: str, options: Options) -> None:
    """Measure what is missing, write the tables and say so."""
    from study.runs.commands import carry_out
    from study.runs.workers import cores

    names = {"categories", "data_root", "scheduler", "output", "models", "seeds", "variants"}
    if options.device not in ("auto", "cpu"):
        why = "what is measured is measured on the processor, so that others get the same"
        raise UserError(f"DEVICE={options.device}: {why}; leave DEVICE out")
    jobs = options.jobs or (None if options.scheduler else cores())
    weights = options.weights.split()
    if not weights and options.backbone != "auto":
        weights = [f"{options.backbone}="]
    print(carry_out(command, **options.model_dump(include=names), weights=weights, jobs=jobs))


def _build(command: str, options: Options) -> None:
    """Execute what is stale; render it as asked; say what was done."""
    from study.book import options as opening
    from study.book.execute import run_stages
    from study.runs.workers import cores, workers
    from study.tables.results import data_key

    if command == "pdf":
        from study.book.pdf import find_browser, print_book

        find_browser()  # before an hour of notebooks
    jobs = options.jobs or (None if options.scheduler else min(2, cores()))
    seconds, start = {"environment (ready)": 0.0}, time.perf_counter()
    fresh = Path(sys.prefix) / "setup-seconds"
    if fresh.is_file():  # this `make` has just made the environment
        seconds = {"environment": float(fresh.read_text())}
        fresh.unlink()
    with workers(jobs, options.scheduler) as executor:
        study = opening.open_study(options, executor.threads, command != "notebooks")
        seconds["data and backbone"] = time.perf_counter() - start
        start = time.perf_counter()
        if any(task.stale for task in study.tasks):
            opening.check_weights(study.backbone, options.device)
        try:
            executed = run_stages(study.stages, executor)
        except UserError:
            _say_stops(study)  # one of them may be the reason
            raise
    seconds[f"notebooks ({len(executed)} executed)"] = time.perf_counter() - start
    where, start = study.folder / "notebooks" / f"seed{options.seed}", time.perf_counter()
    if command == "pdf":
        where = print_book(study)
        seconds["printed"] = time.perf_counter() - start
    if command == "book":
        from study.book.build import build_book

        where, built = build_book(study)
        seconds["book" if built else "book (unchanged)"] = time.perf_counter() - start
    if executed:
        print(f"made again: {', '.join(executed)}")
    for step, spent in seconds.items():
        print(f"{step:.<32} {spent:7.1f} s")
    print(f"data: {study.dataset} ({', '.join(map(data_key, study.categories.values()))})")
    print(f"backbone: {study.backbone}")
    _say_stops(study)
    print(where)


def _say_stops(study: Study) -> None:
    """What the look at the images of each category says must be mended first, a line each."""
    from study.datacheck.check import stops

    for name, category in study.categories.items():
        for sentence in stops(study.folder / "results", category, study.options.seed):
            print(f"stop: {name}: {sentence}")


if __name__ == "__main__":
    sys.exit(main())
