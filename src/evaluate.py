"""Measure trained models: `python src/evaluate.py --help`."""

import glob
import os
import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from vaesweep.run_script import exit_at_once, launch, run_as_hydra_job
from vaesweep.studies.hydra_command_line import quote


@hydra.main(version_base="1.3", config_path="../conf", config_name="evaluate")
def main(config: DictConfig) -> None:
    """Every measure of every run; exit code 1 when any run or measure could not be had."""
    from vaesweep.training import fast_lightning_import  # noqa: F401  here, because torch takes seconds to import

    # isort: split
    from vaesweep.evaluation.evaluate_command import evaluate

    if problems := run_as_hydra_job(evaluate, config):
        sys.exit("\n".join(f"error: {problem}" for problem in problems))


def name_runs(arguments: list[str]) -> list[str]:
    """Folders that are given by their names alone become `run=[...]`; `quote_run` reads those that are given by it."""
    folders = [argument for argument in arguments if Path(argument).is_dir()]
    others = [quote_run(argument) for argument in arguments if argument not in folders]
    return [*others, f"run=[{','.join(quote(Path(folder)) for folder in folders)}]"] if folders else others


def quote_run(argument: str) -> str:
    """`run=A`, `run=A,B` or `run=[A,B]`, with patterns such as runs/*_family, as a list that Hydra can read.

    The names of our own folders hold characters that it would want quoted.
    """
    key, _, value = argument.partition("=")
    if key != "run" or not value or value[0] in ("'", '"'):
        return argument
    several = value[1:-1] if value[0] + value[-1] == "[]" else value
    patterns = [value] if Path(value).exists() else several.split(",")
    paths = [path for one in patterns for path in sorted(glob.glob(os.path.expanduser(one.strip()))) or [one.strip()]]
    return f"run=[{','.join(quote(Path(path)) for path in paths)}]"


if __name__ == "__main__":
    if {"-m", "--multirun"} & {*sys.argv}:
        sys.exit("error: -m: got several evaluations; allowed: one of several runs, run=[A,B] or run=STUDY")
    sys.argv = [sys.argv[0], *name_runs(sys.argv[1:])]
    launch(main)
    exit_at_once()
