"""The command line: ``python -m anomalylib inspect``."""

import argparse
import sys
from pathlib import Path

from anomalylib.errors import UserError, first_line


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code. A user's error is one line."""
    options = _parser().parse_args(arguments)
    try:
        return _inspect(options)
    except (UserError, OSError) as error:
        print(f"error: {first_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; run again to go on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="anomalylib", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("inspect", help="judge pictures with a saved detector")
    command.add_argument("pictures", nargs="+", help="files or folders")
    command.add_argument("--detector", required=True, help="file that a notebook has written")
    command.add_argument("--weights", default="", help="the backbone's file, where it had one")
    command.add_argument("--json", action="store_true", help="print JSON, not a table")
    command.add_argument("--csv", default="", help="write the table to this file")
    command.add_argument("--html", default="", help="write a report with pictures to this file")
    return parser


def _inspect(options: argparse.Namespace) -> int:
    """Judge pictures; 0 where all are normal, 1 where one is not, 2 where one is unreadable."""
    from anomalylib.deploy.inspect import (
        ANOMALOUS,
        UNREADABLE,
        as_json,
        as_table,
        inspect,
        pictures_of,
    )
    from anomalylib.deploy.report import summary, write_report
    from anomalylib.deploy.saving import load
    from anomalylib.files import written_whole

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


if __name__ == "__main__":
    sys.exit(main())
