"""The runs of some folders, and warnings about what cannot be read."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from vaesweep.records.evaluation_record import EvaluationRecord
from vaesweep.records.results import FILE, Results

HISTORY, EXAMPLES, HYDRA = "history.csv", "examples", ".hydra"


@dataclass(frozen=True)
class Run:
    """A run with a record, in a study or alone. `history` has a row per epoch; `examples` are strips of images.

    `evaluation` is the record of its measures, if there is one.
    """

    study: str
    folder: Path
    results: Results
    history: pd.DataFrame
    examples: dict[str, Path]
    evaluation: EvaluationRecord | None = None


@dataclass
class RunCollection:
    """Runs, in an order that depends on their names alone, and warnings about what was left out.

    `studies` are the folders that were read, by title.
    """

    studies: dict[str, Path] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read(folders: list[Path]) -> RunCollection:
    """All runs in and below `folders`, each of which is a study, a run, or a folder of such."""
    collection = RunCollection(dict(zip(titles(folders), folders, strict=True)))
    originals: dict[tuple[str, str], str] = {}
    for study, folder in collection.studies.items():
        if not folder.is_dir():
            collection.warnings.append(f"{folder}: no such folder")
            continue
        records = sorted(folder.rglob(FILE))
        unfinished_folders = {path.parent for path in folder.rglob(HYDRA)} - {path.parent for path in records}
        collection.warnings += [
            f"{path.name}: no {FILE}: it still runs, or it was killed" for path in sorted(unfinished_folders)
        ]
        if not records and not unfinished_folders:
            collection.warnings.append(f"{folder}: no runs in it (a run leaves a {FILE})")
        for record in records:
            try:
                run = read_run(record.parent, study)
            except (OSError, ValueError) as error:
                collection.warnings.append(f"{record.parent.name}: {error}")
                continue
            config = study, run.results.config_hash
            if run.results.status == "completed" and originals.setdefault(config, run.folder.name) != run.folder.name:
                collection.warnings.append(
                    f"{run.folder.name}: left out, the same configuration as {originals[config]}"
                )
            else:
                collection.runs.append(run)
    return collection


def titles(folders: list[Path]) -> list[str]:
    """Title of each folder: its name without the time, and a number if several have the same."""
    short_names = [re.sub(r"^[\d-]+_[\d-]+_", "", folder.resolve().name) for folder in folders]
    numbered_names = [f"{name} {short_names[:i].count(name) + 1}" for i, name in enumerate(short_names)]
    return [
        name if short_names.count(name) == 1 else numbered_name
        for name, numbered_name in zip(short_names, numbered_names, strict=True)
    ]


def read_run(folder: Path, study: str) -> Run:
    """The run in `folder`. Raises ValueError for an invalid record; other files may be missing."""
    try:
        history = pd.read_csv(folder / HISTORY)
    except (OSError, ValueError):
        history = pd.DataFrame()
    results = Results.read(folder)
    examples = {path.stem: path for path in sorted((folder / EXAMPLES).glob("*.png"))}
    evaluation = EvaluationRecord.load_or_none(folder)
    if evaluation and evaluation.config_hash != results.config_hash:
        evaluation = None
    return Run(study, folder, results, history if len(history) else pd.DataFrame(), examples, evaluation)
