"""Compare runs: `python src/compare.py STUDY [STUDY ...]`."""

import argparse
import os
import sys
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    """Write the report of the runs in some folders, and where asked record it in W&B; 1 when something is not right."""
    parser = argparse.ArgumentParser(description="What reconstruction costs in KL: a report over many runs.")
    parser.add_argument("folders", nargs="+", type=Path, metavar="STUDY", help="folders of studies or of runs")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the report goes (default: STUDY/report)")
    parser.add_argument(
        "--wandb", action="store_true", help="record the report in W&B (WANDB_MODE, offline by default)"
    )
    parser.add_argument("--dashboard", metavar="ENTITY", help="publish a W&B workspace of the study for this account")
    parser.add_argument("--project", default="vaesweep", help="the W&B project (default: vaesweep)")
    given = parser.parse_args(argv)

    # here, because --help needs none of them
    from vaesweep.checks import Invalid
    from vaesweep.comparison import terminal
    from vaesweep.comparison.reading import read
    from vaesweep.comparison.report import report

    reading = read(given.folders)
    if not reading.runs:
        print(*(f"error: {remark}" for remark in reading.remarks), sep="\n", file=sys.stderr)
        return 1
    made = report(reading)
    home = next(folder for folder in given.folders if folder.is_dir())
    others = list(made.studies)[1:]
    name = f"report_with_{others[0].replace(' ', '_')}" if len(others) == 1 else f"report_with_{len(others)}"
    folder = given.out or home / (name if others else "report")
    try:
        terminal.write(made, folder)
        study = home.resolve().name
        if given.wandb:
            from vaesweep import loggers

            loggers.log_report(study, folder, made.runs, given.project, os.environ.get("WANDB_MODE", "offline"))
            print(*(f"recorded   {hint}" for hint in loggers.hints(folder)), sep="\n")
        if given.dashboard:
            from vaesweep.dashboard import publish

            print(f"dashboard  {publish(given.dashboard, given.project, study)}")
    except (Invalid, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
