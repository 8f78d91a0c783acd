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
    parser.add_argument("--entity", help="the W&B account or team of the report (default: yours)")
    arguments = parser.parse_args(argv)

    # here, because --help needs none of them
    from vaesweep.errors import ConfigError
    from vaesweep.run_script import in_one_line
    from vaesweep.settings.error_lines import one_line

    try:
        return compare(arguments)
    except (ConfigError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        print(f"error: {one_line(in_one_line(error))}", file=sys.stderr)
    return 1


def compare(arguments: argparse.Namespace) -> int:
    """Write the report that was asked for; 1 where a folder, or every run, is missing.

    Raises `ConfigError` and OSError.
    """
    from rich import get_console
    from rich.progress import track

    from vaesweep.report.missing_measures import missing_measures
    from vaesweep.report.print_report import print_report
    from vaesweep.report.report import PAGE, report, write
    from vaesweep.report.run_collection import read

    collection = read(arguments.folders)
    if missing := missing_measures(collection.runs):
        for name, folders in missing.items():
            print(f"measuring {name} of {len(folders)} run{'s' * (len(folders) != 1)}", file=sys.stderr, flush=True)
        from vaesweep.run_script import limit_spinning

        limit_spinning()
        from vaesweep.training import fast_lightning_import  # noqa: F401  here, because torch takes seconds to import

        # isort: split
        from vaesweep.evaluation.measure_runs import measure_by_name

        problems = {name: measure_by_name(name, folders) for name, folders in missing.items()}
        collection = read(arguments.folders)
        collection.warnings += [f"{name}: not measured: {line}" for name, lines in problems.items() for line in lines]
    if not collection.runs:
        print(*(f"error: {warning}" for warning in collection.warnings), sep="\n", file=sys.stderr)
        return 1
    summary = report(collection)
    home, *_ = summary.studies.values()
    others = list(summary.studies)[1:]
    name = f"report_with_{others[0].replace(' ', '_')}" if len(others) == 1 else f"report_with_{len(others)}"
    folder = arguments.out or home / (name if others else "report")
    is_hidden = not get_console().is_terminal  # a line would be left
    for _ in track(write(summary, folder), "report", summary.files, transient=True, disable=is_hidden):
        pass
    print_report(summary, folder / PAGE)
    study = home.resolve().name
    if arguments.wandb:
        from vaesweep.records.wandb_lifecycle import sync_commands
        from vaesweep.report.wandb_report_run import log_report

        mode = os.environ.get("WANDB_MODE", "offline")
        log_report(study, folder, summary.runs, arguments.project, arguments.entity, mode)
        print(*(f"recorded   {hint}" for hint in sync_commands(folder)), sep="\n")
    if arguments.dashboard:
        from vaesweep.report.wandb_dashboard import declarations, publish

        shown = declarations(collection.runs)
        print(f"dashboard  {publish(arguments.dashboard, arguments.project, study, shown)}")
    return int(not all(folder.is_dir() for folder in arguments.folders))


if __name__ == "__main__":
    sys.exit(main())
