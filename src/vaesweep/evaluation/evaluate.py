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
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, ListConfig
from rich.progress import Progress

from vaesweep import figures
from vaesweep.atomic_files import atomically
from vaesweep.data import ImageDataModule
from vaesweep.errors import ConfigError
from vaesweep.evaluation.context import EvalContext, Track
from vaesweep.evaluation.load import load_context
from vaesweep.evaluation.measure_interface import Measure, MeasureResult, NotApplicable
from vaesweep.figures.model_figures import run_caption
from vaesweep.records import results
from vaesweep.records.evaluation_record import FIGURES, EvaluationRecord
from vaesweep.report import terminal
from vaesweep.report.collection import read
from vaesweep.report.data_frames import table
from vaesweep.report.evaluation_table import absences, cautions, markdown, side_by_side
from vaesweep.run_script import TRACEBACKS
from vaesweep.settings.config_groups import CONF
from vaesweep.settings.instantiate import build
from vaesweep.value_rules import check_choice, check_float, check_int

TABLE = "evaluation.md"


def evaluate(config: DictConfig) -> list[str]:
    """Measure the runs that `config` names, print what was found, and return problems as lines.

    Raises `ConfigError` for settings with which no measure can start.
    """
    problems = measure(config)
    print_table(parse_folders(config.run))
    return problems


def measure(config: DictConfig) -> list[str]:
    """Measure the runs that `config` names, write a record and figures to each folder, and return problems as lines.

    Raises `ConfigError` for settings with which no measure can start.
    """
    check_int("seed", config.seed, 0)
    if config.wandb is not None:
        from vaesweep.records import wandb_evaluation, wandb_lifecycle  # here, because an evaluation needs no W&B

        wandb_lifecycle.check_login("wandb", check_choice("wandb", config.wandb, ("offline", "online")))
    if config.beta is not None:
        check_float("beta", config.beta, 0, strict=True)
    if config.checkpoint is not None:
        check_choice("checkpoint", config.checkpoint, ("last", "best"))
    device = torch.device(chosen_device(config.device))
    measures = {name: build(config, name) for name in chosen_measures(config)}
    runs = read(parse_folders(config.run))
    problems = list(runs.warnings)
    run_folders = list(dict.fromkeys(run.folder.resolve() for run in runs.runs))
    if not run_folders:
        raise ConfigError("run", "; ".join(problems), "folders of completed runs, or of studies")
    with Progress(transient=True) as progress, torch.no_grad():
        task = progress.add_task("", total=len(run_folders) * len(measures))
        for i, folder in enumerate(run_folders):
            progress.update(task, description=folder.name[-40:], completed=i * len(measures))
            try:
                with FileLock(folder / ".lock").acquire(timeout=0):
                    context = load_context(folder, config.checkpoint, config.root, device, config.seed)
                    if config.beta is not None:
                        context.model.set_rate_weight(config.beta)
                    record = EvaluationRecord.load_or_new(
                        folder, context.results.config_hash, context.checkpoint, config.seed, config.beta
                    )
                    for name, chosen in measures.items():
                        context.track = tracker(progress, name)
                        try:
                            record.add(name, take_measure(context, name, chosen), measure_names(config))
                            record.write(folder)
                        except Exception as error:
                            problems.append(error_line(error, f"{folder.name}, {name}"))
                        progress.advance(task)
                    if config.wandb:
                        wandb_evaluation.log_evaluation(folder, context.results, record, config.wandb)
            except Timeout:
                lock_error = ConfigError(
                    "run", f"{folder} while another process is at work in it", "one process at a time"
                )
                problems.append(str(lock_error))
            except Exception as error:
                problems.append(error_line(error, folder.name))
    return problems


def measure_by_name(name: str, folders: Sequence[Path]) -> list[str]:
    """Take the measure `name` of the runs in some folders, and return problems as lines.

    It is added to what was measured of a run before, with the same weights and draws.
    """
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("evaluate", [f"measures=[{name}]"])
    defaults = {key: config[key] for key in ("checkpoint", "seed", "beta")}
    problems = []
    for folder in folders:
        earlier = EvaluationRecord.load_or_none(folder)
        kept = {key: getattr(earlier, key, default) for key, default in defaults.items()}
        try:
            config.update(kept | {"run": str(folder)})
            problems += measure(config)
        except ConfigError as error:
            problems.append(f"{folder.name}: {error}")
    return problems


def take_measure(context: EvalContext, name: str, measure: Measure) -> dict[str, Any]:
    """Take one measure, save its figures and return its entry for the record. Raises the measure's errors."""
    start = time.perf_counter()
    try:
        result = measure(context)
    except NotApplicable as reason:
        result = MeasureResult(absent={name: str(reason)})
    run = context.results
    caption = run_caption(context.model, run.model, run.data, run.seed)
    for figure in result.figures.values():
        # a film that goes there and back shows a frame twice
        for frame in dict.fromkeys(figure if isinstance(figure, list) else [figure]):
            figures.add_caption(frame, caption)
    paths = [figures.save(figure, context.folder / FIGURES / key) for key, figure in result.figures.items()]
    for key in [key for key, value in result.values.items() if not isfinite(value.value)]:
        result.remarks[key] = f"it is {result.values.pop(key).value}"
    return {
        "settings": settings(measure),
        "values": {key: value._asdict() for key, value in result.values.items()},
        "series": {k: [v if isfinite(v) else None for v in values] for k, values in result.series.items()},
        "remarks": result.remarks,
        "absent": result.absent,
        "figures": [path.name for path in paths],
        "seconds": round(time.perf_counter() - start, 3),
    }


def error_line(error: Exception, location: str) -> str:
    """An error in one line. Raises it if tracebacks are wanted."""
    if TRACEBACKS:
        raise error
    if isinstance(error, ConfigError):
        return str(error)
    return f"{location}: {type(error).__name__}: {' '.join(str(error).split())}"


def print_table(named_folders: Sequence[Path]) -> None:
    """Print the measured values side by side; the table of a study is written to its folder."""
    are_single_runs = all((folder / results.FILE).is_file() for folder in named_folders)
    # runs that were named one by one belong to no study
    runs = [
        replace(run, study="") if are_single_runs else run for run in read(list(named_folders)).runs if run.evaluation
    ]
    if not runs:
        return
    frame = table(runs)
    value_table, notes = side_by_side(frame, runs), (cautions(frame, runs), absences(frame, runs))
    terminal.evaluations(value_table, *notes)
    first_folder = os.path.relpath(named_folders[0])
    if len(runs) == 1:
        print(f"figures    {os.path.relpath(runs[0].folder / FIGURES)}")
    elif len(named_folders) == 1:
        with atomically(named_folders[0] / TABLE) as path:
            path.write_text(markdown(value_table, *notes))
        print(f"table      {os.path.join(first_folder, TABLE)}")
        print(f"compare    python src/compare.py {shlex.quote(first_folder)}")


def settings(measure: Measure) -> dict[str, Any]:
    """A measure's numbers and names, for the record; a data module in it by its title."""
    return {key: value.title if isinstance(value, ImageDataModule) else value for key, value in vars(measure).items()}


def tracker(progress: Progress, name: str) -> Track:
    """A `Track` that shows progress as one more bar, called `name`, and removes it at the end."""

    def track(items: Iterable[Any], total: int) -> Iterator[Any]:
        task = progress.add_task(name, total=total)
        try:
            for item in items:
                yield item
                progress.advance(task)
        finally:
            progress.remove_task(task)

    return track


def parse_folders(value: str | ListConfig) -> list[Path]:
    """The folders that `run` names, each once. Raises `ConfigError` if it names none."""
    names = [str(name) for name in ([value] if isinstance(value, str) else value) if str(name).strip()]
    if not names:
        raise ConfigError("run", "nothing", "folders of completed runs, or of studies")
    return list(dict.fromkeys(map(Path, names)))


def chosen_measures(config: DictConfig) -> list[str]:
    """The names in `measures`, in the order of the configuration. Raises `ConfigError`."""
    names = measure_names(config)
    selection = names if config.measures is None else config.measures
    selection = [selection] if isinstance(selection, str) else list(selection)
    for name in selection:
        check_choice("measures", name, names)
    if not selection:
        raise ConfigError("measures", "none", f"a list of {', '.join(names)}")
    return [name for name in names if name in selection]


def measure_names(config: DictConfig) -> list[str]:
    """The names of all measures, in the order of the configuration."""
    return [str(key) for key in config if isinstance(config[key], DictConfig) and "_target_" in config[key]]


def chosen_device(device: str) -> str:
    """The device to compute on. Raises `ConfigError` for one that torch does not see."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device != "auto" and not available.get(check_choice("device", device, ("auto", *available))):
        raise ConfigError("device", device, "cpu | auto, as torch sees no such device on this machine")
    return next(name for name in ("cuda", "mps", "cpu") if available[name]) if device == "auto" else device
