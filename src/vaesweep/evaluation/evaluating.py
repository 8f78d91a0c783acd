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
from filelock import FileLock, Timeout
from omegaconf import DictConfig, ListConfig
from rich.progress import Progress

from vaesweep import figures, loggers, results
from vaesweep.checks import Invalid, choice, whole
from vaesweep.comparison import terminal
from vaesweep.comparison.evaluations import absences, markdown, side_by_side
from vaesweep.comparison.reading import read
from vaesweep.comparison.tables import table
from vaesweep.data import ImageData
from vaesweep.entry import TRACEBACKS, build
from vaesweep.evaluated import FIGURES, Evaluation
from vaesweep.evaluation.loading import load
from vaesweep.evaluation.outcome import Inapplicable, Measure, Outcome
from vaesweep.evaluation.subject import Subject, Track
from vaesweep.files import atomically

TABLE = "evaluation.md"


def evaluate(config: DictConfig) -> list[str]:
    """Measure the runs that `config` names, leave a record and figures in each folder; what went wrong, a line each.

    Raises `Invalid` for what no measure can start with.
    """
    whole("seed", config.seed, 0)
    if config.wandb is not None:
        loggers.authorised("wandb", choice("wandb", config.wandb, ("offline", "online")))
    if config.checkpoint is not None:
        choice("checkpoint", config.checkpoint, ("last", "best"))
    device = torch.device(chosen_device(config.device))
    measures = {name: build(config, name) for name in chosen_measures(config)}
    asked = folders(config.run)
    reading = read(asked)
    problems = list(reading.remarks)
    found = list(dict.fromkeys(run.folder.resolve() for run in reading.runs))
    if not found:
        raise Invalid("run", "; ".join(problems), "folders of completed runs, or of studies")
    with Progress(transient=True) as bars, torch.no_grad():
        task = bars.add_task("", total=len(found) * len(measures))
        for i, folder in enumerate(found):
            bars.update(task, description=folder.name[-40:], completed=i * len(measures))
            try:
                with FileLock(folder / ".lock").acquire(timeout=0):
                    subject = load(folder, config.checkpoint, config.root, device, config.seed)
                    record = Evaluation.begun(folder, subject.results.config_hash, subject.checkpoint, config.seed)
                    for name, measure in measures.items():
                        subject.track = tracker(bars, name)
                        try:
                            record.add(name, measured(subject, name, measure), known(config))
                            record.write(folder)
                        except Exception as error:
                            problems.append(told(error, f"{folder.name}, {name}"))
                        bars.advance(task)
                    if config.wandb:
                        loggers.log_evaluation(folder, record, subject.project, config.wandb)
            except Timeout:
                busy = Invalid("run", f"{folder} while another process is at work in it", "one process at a time")
                problems.append(str(busy))
            except Exception as error:
                problems.append(told(error, folder.name))
    conclude(asked)
    return problems


def measured(subject: Subject, name: str, measure: Measure) -> dict[str, Any]:
    """What the record keeps of one measure; its figures are drawn and saved. Raises whatever the measure does."""
    begun = time.perf_counter()
    try:
        outcome = measure(subject)
    except Inapplicable as reason:
        outcome = Outcome(absent={name: str(reason)})
    drawn = [figures.save(figure, subject.folder / FIGURES / key) for key, figure in outcome.figures.items()]
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


def told(error: Exception, where: str) -> str:
    """An error in one line. Raises it where tracebacks are wanted."""
    if TRACEBACKS:
        raise error
    if isinstance(error, Invalid):
        return str(error)
    return f"{where}: {type(error).__name__}: {' '.join(str(error).split())}"


def conclude(asked: Sequence[Path]) -> None:
    """Print what was measured, side by side; the table of a study is kept in its folder."""
    alone = all((folder / results.FILE).is_file() for folder in asked)
    # runs that were named one by one are of no study
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
    """A measure's numbers and names, for the record; a data module in it by its name."""
    return {key: value.name if isinstance(value, ImageData) else value for key, value in vars(measure).items()}


def tracker(bars: Progress, name: str) -> Track:
    """Shows the way through an iterable as one more bar, under `name`, which goes when it is through."""

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
    """The folders that `run` names, each once. Raises `Invalid` where it names none."""
    named = [str(one) for one in ([given] if isinstance(given, str) else given) if str(one).strip()]
    if not named:
        raise Invalid("run", "nothing", "folders of completed runs, or of studies")
    return list(dict.fromkeys(map(Path, named)))


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
