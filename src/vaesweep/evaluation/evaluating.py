"""Every measure of every run: in what order, what is kept, and what is said."""

import os
import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig
from rich.progress import Progress

from vaesweep import figures, loggers, results
from vaesweep.checks import Invalid, choice, whole
from vaesweep.comparison import terminal
from vaesweep.comparison.evaluations import absences, markdown, side_by_side
from vaesweep.comparison.reading import read
from vaesweep.comparison.tables import table
from vaesweep.entry import TRACEBACKS, build
from vaesweep.evaluated import FIGURES, Evaluation
from vaesweep.evaluation.loading import load
from vaesweep.evaluation.outcome import Inapplicable, Measure, Outcome
from vaesweep.evaluation.subject import Subject
from vaesweep.files import atomically

TABLE = "evaluation.md"


def evaluate(config: DictConfig) -> list[str]:
    """Measure the runs that `config` names, leave a record and figures in each folder; what went wrong, a line each.

    Raises `Invalid` for what no measure can start with.
    """
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        raise Invalid("-m", "several evaluations", "one with several runs: run=[A,B], or run=STUDY")
    whole("seed", config.seed, 0)
    choice("wandb", config.wandb or "offline", ("offline", "online"))
    choice("checkpoint", config.checkpoint or "last", ("last", "best"))
    device = torch.device(chosen_device(config.device))
    measures = {name: build(config, name) for name in chosen_measures(config)}
    reading = read(folders(config.run))
    problems = list(reading.remarks)
    if not reading.runs:
        raise Invalid("run", "; ".join(problems), "folders of completed runs, or of studies")
    with Progress(transient=True) as bars, torch.no_grad():
        task = bars.add_task("", total=len(reading.runs) * len(measures))
        for run in reading.runs:
            bars.update(task, description=run.folder.name[-40:])
            try:
                subject = load(run.folder, config.checkpoint, config.root, device, config.seed)
            except Invalid as error:
                problems.append(str(error))
                bars.advance(task, len(measures))
                continue
            subject.track = tracker(bars)
            record = Evaluation(subject.results.config_hash, subject.checkpoint, config.seed)
            record = record.goes_on(Evaluation.found(run.folder))
            for name, measure in measures.items():
                bars.update(task, description=f"{run.folder.name[-40:]} {name}")
                problems += measured(subject, name, measure, record, known(config))
                bars.advance(task)
            if config.wandb:
                loggers.log_evaluation(run.folder, record.flat(), subject.project, config.wandb)
    conclude(config)
    return problems


def conclude(config: DictConfig) -> None:
    """Print what was measured, side by side; the table of a study is kept in its folder."""
    asked = folders(config.run)
    alone = all((folder / results.FILE).is_file() for folder in asked)
    # runs that were named one by one are of no study
    runs = [replace(run, study="") if alone else run for run in read(asked).runs if run.evaluation]
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
        print(
            f"table      {os.path.join(home, TABLE)}", f"compare    python src/compare.py {shlex.quote(home)}", sep="\n"
        )


def measured(subject: Subject, name: str, measure: Measure, record: Evaluation, order: Sequence[str]) -> list[str]:
    """Add one measure to the record and to the figures on disk; why it failed, if it did. The others go on anyway."""
    begun = time.perf_counter()
    try:
        outcome = measure(subject)
    except Inapplicable as reason:
        outcome = Outcome(absent={name: str(reason)})
    except Exception as error:
        if TRACEBACKS:
            raise
        said = str(error) if isinstance(error, Invalid) else f"{type(error).__name__}: {' '.join(str(error).split())}"
        return [f"{subject.folder.name}, {name}: {said}"]
    for key in [key for key, value in outcome.values.items() if not isfinite(value.value)]:
        outcome.absent[key] = f"it is {outcome.values.pop(key).value}"
    entry = {
        "settings": settings(measure),
        "values": {key: value._asdict() for key, value in outcome.values.items()},
        "series": outcome.series,
        "absent": outcome.absent,
        "seconds": round(time.perf_counter() - begun, 3),
    }
    record.add(name, entry, order)
    for key, figure in outcome.figures.items():
        figures.save(figure, subject.folder / FIGURES / key)
    record.write(subject.folder)
    return []


def settings(measure: Measure) -> dict[str, Any]:
    """A measure's numbers and names, for the record; data modules in it by their class."""
    plain = int | float | str | list
    return {key: value if isinstance(value, plain) else type(value).__name__ for key, value in vars(measure).items()}


def tracker(bars: Progress) -> Any:
    """Shows the way through an iterable as a second bar, which goes when it is through."""

    def track(items: Iterable[Any], total: int) -> Iterator[Any]:
        task = bars.add_task("", total=total)
        try:
            for item in items:
                yield item
                bars.advance(task)
        finally:
            bars.remove_task(task)

    return track


def folders(given: str | ListConfig) -> list[Path]:
    """The folders that `run` names, each once."""
    return list(dict.fromkeys(Path(str(one)) for one in ([given] if isinstance(given, str) else given)))


def chosen_measures(config: DictConfig) -> list[str]:
    """The names in `measures`, in the order of the configuration. Raises `Invalid`."""
    names = known(config)
    asked = names if config.measures is None else config.measures
    asked = [asked] if isinstance(asked, str) else list(asked)
    for name in asked:
        choice("measures", name, names)
    if not asked:
        raise Invalid("measures", "none", f"a list of {', '.join(names)}")
    return [name for name in names if name in asked]


def known(config: DictConfig) -> list[str]:
    """The names of all measures, in the order of the configuration."""
    return [str(key) for key in config if isinstance(config[key], DictConfig) and "_target_" in config[key]]


def chosen_device(given: str) -> str:
    """The device to compute on. Raises `Invalid` for one that torch does not see."""
    seen = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if given != "auto" and not seen.get(choice("device", given, ("auto", *seen))):
        raise Invalid("device", given, "cpu | auto, as torch sees no such device on this machine")
    return next(name for name in ("cuda", "mps", "cpu") if seen[name]) if given == "auto" else given
