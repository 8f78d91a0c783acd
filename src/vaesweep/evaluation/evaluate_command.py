"""Evaluation of completed runs by the command: what was measured, as a table."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from vaesweep.atomic_files import atomically
from vaesweep.evaluation.evaluation_settings import parse_folders
from vaesweep.evaluation.measure_in_parallel import measure_all
from vaesweep.evaluation.print_evaluations import print_evaluations
from vaesweep.records import results
from vaesweep.records.evaluation_record import FIGURES
from vaesweep.report.evaluation_table import absences, cautions, markdown, side_by_side
from vaesweep.report.run_collection import read, without_repeats
from vaesweep.report.run_tables import table

TABLE = "evaluation.md"


def evaluate(config: DictConfig) -> list[str]:
    """Measure the runs that `config` names, print what was found, and return problems as lines.

    Raises `ConfigError` for settings with which no measure can start.
    """
    problems = measure_all(config)
    print_table(parse_folders(config.run))
    return problems


def print_table(named_folders: Sequence[Path]) -> None:
    """Print the measured values side by side; the table of a study is written to its folder."""
    are_single_runs = all((folder / results.FILE).is_file() for folder in named_folders)
    runs = [run for run in read(list(named_folders)).runs if run.evaluation]
    if are_single_runs:  # they belong to no study
        runs, repeated = without_repeats([replace(run, study="") for run in runs], Path.cwd())
        for line in repeated:
            print(line)
    if not runs:
        return
    frame = table(runs)
    value_table, notes = side_by_side(frame, runs), (cautions(frame, runs), absences(frame, runs))
    print_evaluations(value_table, *notes)
    first_folder = os.path.relpath(named_folders[0])
    if len(runs) == 1:
        print(f"figures    {os.path.relpath(runs[0].folder / FIGURES)}")
    elif len(named_folders) == 1:
        with atomically(named_folders[0] / TABLE) as path:
            path.write_text(markdown(value_table, *notes))
        print(f"table      {os.path.join(first_folder, TABLE)}")
        print(f"compare    python src/compare.py {shlex.quote(first_folder)}")
