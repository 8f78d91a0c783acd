"""Takes measures of completed runs: a record and figures in the folder of each."""

import time
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from rich import get_console
from rich.progress import Progress

from vaesweep import figures
from vaesweep.data import ImageDataModule
from vaesweep.errors import ConfigError
from vaesweep.evaluation.context import EvalContext, Track
from vaesweep.evaluation.device import chosen_device
from vaesweep.evaluation.evaluation_settings import chosen_measures, measure_names, parse_folders
from vaesweep.evaluation.load import load_context
from vaesweep.evaluation.measure_interface import Measure, MeasureResult, NotApplicable
from vaesweep.figures.figure_text import run_caption
from vaesweep.records.evaluation_record import FIGURES, EvaluationRecord
from vaesweep.report.run_collection import read
from vaesweep.run_script import TRACEBACKS
from vaesweep.settings.check_arguments import check_choice, check_float, check_int
from vaesweep.settings.config_groups import CONF
from vaesweep.settings.instantiate import build


def measure(config: DictConfig, loaded: dict[str, ImageDataModule] | None = None, quiet: bool = False) -> list[str]:
    """Measure the runs that `config` names, write a record and figures to each folder, and return problems as lines.

    Data in `loaded` are not loaded again. No progress is shown if `quiet`. Raises `ConfigError` for settings with which
    no measure can start.
    """
    check_int("seed", config.seed, 0)
    if config.wandb is not None:
        from vaesweep.records import wandb_evaluation_run, wandb_lifecycle  # here, because an evaluation needs no W&B

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
    loaded = {} if loaded is None else loaded
    with Progress(transient=True, disable=quiet or not get_console().is_terminal) as progress, torch.no_grad():
        task = progress.add_task("", total=len(run_folders) * len(measures))
        for i, folder in enumerate(run_folders):
            progress.update(task, description=folder.name[-40:], completed=i * len(measures))
            try:
                with FileLock(folder / ".lock").acquire(timeout=0):
                    context = load_context(folder, config.checkpoint, config.root, device, config.seed, loaded)
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
                        wandb_evaluation_run.log_evaluation(folder, context.results, record, config.wandb)
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
    problems, loaded = list[str](), dict[str, ImageDataModule]()
    for folder in folders:
        earlier = EvaluationRecord.load_or_none(folder)
        same = {key: getattr(earlier, key, default) for key, default in defaults.items()}
        try:
            config.update(same | {"run": str(folder)})
            problems += measure(config, loaded)
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
