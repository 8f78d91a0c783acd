"""From folders to runs: whatever is there is read, whatever is not right is said."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from vaesweep.evaluated import Evaluation
from vaesweep.results import FILE, Results

CURVES, EXAMPLES, HYDRA = "curves.csv", "examples", ".hydra"


@dataclass(frozen=True)
class Run:
    """A run that left a record, in a study or alone. `curves` has a row an epoch; `examples` are strips of images.

    `evaluation` is what it was measured to be, where it was.
    """

    study: str
    folder: Path
    results: Results
    curves: pd.DataFrame
    examples: dict[str, Path]
    evaluation: Evaluation | None = None


@dataclass
class Reading:
    """What `read` found: runs, in an order that depends on their names alone, and remarks on what is no run.

    `studies` are the folders that were read, by what to call them.
    """

    studies: dict[str, Path] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def read(folders: list[Path]) -> Reading:
    """All runs in and below `folders`, each of which is a study, a run, or a folder of such."""
    reading = Reading(dict(zip(titles(folders), folders, strict=True)))
    seen: dict[tuple[str, str], str] = {}
    for study, folder in reading.studies.items():
        if not folder.is_dir():
            reading.remarks.append(f"{folder}: no such folder")
            continue
        records = sorted(folder.rglob(FILE))
        started = {path.parent for path in folder.rglob(HYDRA)} - {path.parent for path in records}
        reading.remarks += [f"{path.name}: no {FILE}: it still runs, or it was killed" for path in sorted(started)]
        if not records and not started:
            reading.remarks.append(f"{folder}: no runs in it (a run leaves a {FILE})")
        for record in records:
            try:
                run = read_run(record.parent, study)
            except (OSError, ValueError) as error:
                reading.remarks.append(f"{record.parent.name}: {error}")
                continue
            name = study, run.results.config_hash
            if run.results.status == "completed" and seen.setdefault(name, run.folder.name) != run.folder.name:
                reading.remarks.append(f"{run.folder.name}: left out, the same configuration as {seen[name]}")
            else:
                reading.runs.append(run)
    return reading


def titles(folders: list[Path]) -> list[str]:
    """What to call each folder: its name without the time, and a number where several have the same."""
    short = [re.sub(r"^[\d-]+_[\d-]+_", "", folder.resolve().name) for folder in folders]
    turns = [f"{name} {short[:i].count(name) + 1}" for i, name in enumerate(short)]
    return [name if short.count(name) == 1 else turn for name, turn in zip(short, turns, strict=True)]


def read_run(folder: Path, study: str) -> Run:
    """The run in `folder`. Raises ValueError for a record that is not one; the rest may be missing."""
    try:
        curves = pd.read_csv(folder / CURVES)
    except (OSError, ValueError):
        curves = pd.DataFrame()
    results = Results.read(folder)
    examples = {path.stem: path for path in sorted((folder / EXAMPLES).glob("*.png"))}
    evaluation = Evaluation.found(folder)
    if evaluation and evaluation.config_hash != results.config_hash:
        evaluation = None
    return Run(study, folder, results, curves if len(curves) else pd.DataFrame(), examples, evaluation)
