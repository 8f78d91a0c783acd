"""Evaluation of completed runs: their measures, records, figures and a table."""

import os
import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from omegaconf import DictConfig, ListConfig
from rich.progress import Progress

from vaesweep import figures
from vaesweep.checks import ConfigError, check_choice, check_int
from vaesweep.cli import TRACEBACKS
from vaesweep.data import ImageDataModule
from vaesweep.evaluation.context import EvalContext, Track
from vaesweep.evaluation.load import load_context
from vaesweep.evaluation.result import Measure, MeasureResult, NotApplicable
from vaesweep.files import atomically
from vaesweep.instantiate import build
from vaesweep.records import results, wandb_runs
from vaesweep.records.evaluation_record import FIGURES, EvaluationRecord
from vaesweep.report import terminal
from vaesweep.report.collection import read
from vaesweep.report.evaluations import absences, markdown, side_by_side
from vaesweep.report.tables import table

TABLE = "evaluation.md"


def evaluate(config: DictConfig) -> list[str]:
    """Measure the runs that `config` names, write a record and figures to each folder, and return problems as lines.

    Raises `ConfigError` for settings with which no measure can start.
    """
    check_int("seed", config.seed, 0)
    if config.wandb is not None:
        wandb_runs.check_login("wandb", check_choice("wandb", config.wandb, ("offline", "online")))
    if config.checkpoint is not None:
        check_choice("checkpoint", config.checkpoint, ("last", "best"))
    device = torch.device(chosen_device(config.device))
    measures = {name: build(config, name) for name in chosen_measures(config)}
    asked = folders(config.run)
    runs = read(asked)
    problems = list(runs.warnings)
    found = list(dict.fromkeys(run.folder.resolve() for run in runs.runs))
    if not found:
        raise ConfigError("run", "; ".join(problems), "folders of completed runs, or of studies")
    with Progress(transient=True) as bars, torch.no_grad():
        task = bars.add_task("", total=len(found) * len(measures))
        for i, folder in enumerate(found):
            bars.update(task, description=folder.name[-40:], completed=i * len(measures))
            try:
                with FileLock(folder / ".lock").acquire(timeout=0):
                    context = load_context(folder, config.checkpoint, config.root, device, config.seed)
                    record = EvaluationRecord.load_or_new(
                        folder, context.results.config_hash, context.checkpoint, config.seed
                    )
                    for name, measure in measures.items():
                        context.track = tracker(bars, name)
                        try:
                            record.add(name, take_measure(context, name, measure), measure_names(config))
                            record.write(folder)
                        except Exception as error:
                            problems.append(error_line(error, f"{folder.name}, {name}"))
                        bars.advance(task)
                    if config.wandb:
                        wandb_runs.log_evaluation(folder, record, context.project, config.wandb)
            except Timeout:
                busy = ConfigError("run", f"{folder} while another process is at work in it", "one process at a time")
                problems.append(str(busy))
            except Exception as error:
                problems.append(error_line(error, folder.name))
    print_table(asked)
    return problems


def take_measure(context: EvalContext, name: str, measure: Measure) -> dict[str, Any]:
    """Take one measure, save its figures and return its entry for the record. Raises the measure's errors."""
    begun = time.perf_counter()
    try:
        outcome = measure(context)
    except NotApplicable as reason:
        outcome = MeasureResult(absent={name: str(reason)})
    drawn = [figures.save(figure, context.folder / FIGURES / key) for key, figure in outcome.figures.items()]
    for key in [key for key, value in outcome.values.items() if not isfinite(value.value)]:
        outcome.absent[key] = f"it is {outcome.values.pop(key).value}"
    return {
        "settings": settings(measure),
        "values": {key: value._asdict() for key, value in outcome.values.items()},
        "series": {k: [v if isfinite(v) else None for v in values] for k, values in outcome.series.items()},
        "absent": outcome.absent,
        "figures": [path.name for path in drawn],
        "seconds": round(time.perf_counter() - begun, 3),
    }


def error_line(error: Exception, where: str) -> str:
    """An error in one line. Raises it if tracebacks are wanted."""
    if TRACEBACKS:
        raise error
    if isinstance(error, ConfigError):
        return str(error)
    return f"{where}: {type(error).__name__}: {' '.join(str(error).split())}"


def print_table(asked: Sequence[Path]) -> None:
    """Print the measured values side by side; the table of a study is written to its folder."""
    alone = all((folder / results.FILE).is_file() for folder in asked)
    # runs that were named one by one belong to no study
    runs = [replace(run, study="") if alone else run for run in read(list(asked)).runs if run.evaluation]
    if not runs:
        return
    frame = table(runs)
    wide, reasons = side_by_side(frame, runs), absences(frame, runs)
    terminal.evaluations(wide, reasons)
    home = os.path.relpath(asked[0])
    if len(runs) == 1:
        print(f"figures    {os.path.relpath(runs[0].folder / FIGURES)}")
    elif len(asked) == 1:
        with atomically(asked[0] / TABLE) as path:
            path.write_text(markdown(wide, reasons))
        print(f"table      {os.path.join(home, TABLE)}")
        print(f"compare    python src/compare.py {shlex.quote(home)}")


def settings(measure: Measure) -> dict[str, Any]:
    """A measure's numbers and names, for the record; a data module in it by its title."""
    return {key: value.title if isinstance(value, ImageDataModule) else value for key, value in vars(measure).items()}


def tracker(bars: Progress, name: str) -> Track:
    """A `Track` that shows progress as one more bar, called `name`, and removes it at the end."""

    def track(items: Iterable[Any], total: int) -> Iterator[Any]:
        task = bars.add_task(name, total=total)
        try:
            for item in items:
                yield item
                bars.advance(task)
        finally:
            bars.remove_task(task)

    return track


def folders(given: str | ListConfig) -> list[Path]:
    """The folders that `run` names, each once. Raises `ConfigError` if it names none."""
    named = [str(one) for one in ([given] if isinstance(given, str) else given) if str(one).strip()]
    if not named:
        raise ConfigError("run", "nothing", "folders of completed runs, or of studies")
    return list(dict.fromkeys(map(Path, named)))


def chosen_measures(config: DictConfig) -> list[str]:
    """The names in `measures`, in the order of the configuration. Raises `ConfigError`."""
    names = measure_names(config)
    asked = names if config.measures is None else config.measures
    asked = [asked] if isinstance(asked, str) else list(asked)
    for name in asked:
        check_choice("measures", name, names)
    if not asked:
        raise ConfigError("measures", "none", f"a list of {', '.join(names)}")
    return [name for name in names if name in asked]


def measure_names(config: DictConfig) -> list[str]:
    """The names of all measures, in the order of the configuration."""
    return [str(key) for key in config if isinstance(config[key], DictConfig) and "_target_" in config[key]]


def chosen_device(given: str) -> str:
    """The device to compute on. Raises `ConfigError` for one that torch does not see."""
    seen = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if given != "auto" and not seen.get(check_choice("device", given, ("auto", *seen))):
        raise ConfigError("device", given, "cpu | auto, as torch sees no such device on this machine")
    return next(name for name in ("cuda", "mps", "cpu") if seen[name]) if given == "auto" else given
