"""The command line of the study: ``python -m study book``, and what else ``make`` calls."""

import argparse
import sys
import time
from pathlib import Path

from anomalylib.errors import UserError, first_line
from study.book.options import Options
from study.checkout import ROOT
from study.runs.commands import COMMANDS

BUILDING = {
    "notebooks": "execute the notebooks that are stale",
    "book": "execute the stale notebooks and build the book",
    "pdf": "execute the stale notebooks and print the book",
}
OTHERS = {"data": "fetch MVTec AD (5 GB)", "headline": "write the README's chart and table"}


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code. A user's error is one line."""
    try:
        if not (ROOT / "notebooks").is_dir():
            raise UserError("the study runs in its checkout: clone it, then `make book`")
        given = vars(_parser().parse_args(arguments))
        command = given.pop("command")
        if command == "data":
            from study.parts.download import fetch_mvtec

            folder = fetch_mvtec().relative_to(ROOT)
            print(f"MVTec AD is in {folder}; now: make book DATA_ROOT={folder}")
        elif command == "headline":
            from study.book import readme

            readme.write()
            written = [path.relative_to(ROOT) for path in (readme.PICTURE, readme.README)]
            print(f"written: {written[0]}, {written[1]}")
        elif command in COMMANDS:
            _measure(command, Options.read(given))
        else:
            _build(command, Options.read(given))
    except (UserError, OSError) as error:
        print(f"error: {first_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; run again to go on from here", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m study", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = {name: f"measure the tables of {name}" for name in COMMANDS}
    for name, text in (BUILDING | measuring | OTHERS).items():
        command = commands.add_parser(name, help=text)
        for option, field in Options.model_fields.items() if name not in OTHERS else ():
            command.add_argument(f"--{option.replace('_', '-')}", help=field.description)
    return parser


def _measure(command: str, options: Options) -> None:
    """Measure what is missing, write the tables and say so."""
    from study.runs.commands import carry_out
    from study.runs.workers import cores

    given = options.model_dump(include={"categories", "data_root", "scheduler", "output"})
    jobs = options.jobs or (None if options.scheduler else cores())
    print(carry_out(command, **given, weights=options.weights.split(), jobs=jobs))


def _build(command: str, options: Options) -> None:
    """Execute what is stale; render it as asked; say what was done."""
    from study.book import options as opening
    from study.book.execute import run_stages
    from study.runs.workers import cores, workers

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
        study = opening.open_study(options, executor.threads)
        seconds["data and backbone"] = time.perf_counter() - start
        start = time.perf_counter()
        if any(task.stale for task in study.tasks):
            opening.check_weights(study.backbone)
        executed = run_stages(study.stages, executor)
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
    print(f"data: {study.dataset} ({', '.join(options.categories)})")
    print(f"backbone: {study.backbone}")
    print(where)


if __name__ == "__main__":
    sys.exit(main())
