"""The runs of some folders, and warnings about what cannot be read."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vaesweep.records.results import FILE
from vaesweep.records.search_record import FILE as SEARCH
from vaesweep.records.search_record import SearchRecord
from vaesweep.report.printable_text import one_line, printable
from vaesweep.report.read_run import Run, read_run

HYDRA = ".hydra"


@dataclass
class RunCollection:
    """Runs, in an order that depends on their names alone, and warnings about what was left out.

    `studies` are the folders that were read, by title.
    """

    studies: dict[str, Path] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    searches: dict[str, SearchRecord] = field(default_factory=dict)
    """The records of searches, by title: of those studies that are one, and of those below them."""


def read(folders: list[Path]) -> RunCollection:
    """All runs in and below `folders`, each of which is a study, a run, or a folder of such.

    Of two folders one of which lies in the other, the inner one has its runs.
    """
    present = list({folder.resolve(): folder for folder in folders if folder.is_dir()}.values())
    searches = [path.parent for folder in present for path in sorted(folder.rglob(SEARCH))]
    studies = list(dict.fromkeys([*present, *searches]))
    title = dict(zip(studies, titles(studies), strict=True))
    collection = RunCollection({title[folder]: folder for folder in present})
    for folder in studies:
        try:
            collection.searches[title[folder]] = SearchRecord.read(folder)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            collection.warnings.append(f"{title[folder]}: {error}; its runs are shown without the search")
    for folder in present:
        runs = []
        below = [other for other in present if other != folder and other.resolve().is_relative_to(folder.resolve())]
        records = sorted(outside(folder.rglob(FILE), below))
        unfinished_folders = {path.parent for path in outside(folder.rglob(HYDRA), below)}
        unfinished_folders -= {path.parent for path in records}
        collection.warnings += [
            f"{path.name}: no {FILE}: it still runs, or it was killed" for path in sorted(unfinished_folders)
        ]
        if not records and not unfinished_folders and not below:
            collection.warnings.append(f"{folder}: no runs in it (a run leaves a {FILE})")
        for record in records:
            study = title[next((above for above in record.parents if above in searches), folder)]
            try:
                run, warnings = read_run(record.parent, study)
            except (OSError, ValueError) as error:
                collection.warnings.append(f"{record.parent.name}: {error}")
                continue
            collection.warnings += [f"{run.folder.name}: {warning}" for warning in warnings]
            runs.append(as_trial(run, collection.searches[study]) if study in collection.searches else run)
        once, repeated = without_repeats(runs, folder)
        collection.runs += once
        collection.warnings += repeated
    collection.warnings += [f"{folder}: no such folder" for folder in folders if not folder.is_dir()]
    collection.warnings = [one_line(warning) for warning in collection.warnings]
    return collection


def outside(paths: Iterable[Path], folders: Sequence[Path]) -> list[Path]:
    """Those of `paths` that lie in none of `folders`."""
    resolved = [folder.resolve() for folder in folders]
    return [path for path in paths if not any(path.resolve().is_relative_to(folder) for folder in resolved)]


def as_trial(run: Run, search: SearchRecord) -> Run:
    """A run as one of a search, with the status `pruned` where the search stopped it: it does not compare."""
    given = set(run.results.overrides)
    statuses = [
        trial["status"]
        for trial in search.trials
        if trial["settings"] and {f"{key}={value}" for key, value in trial["settings"].items()} <= given
    ]
    is_pruned = run.results.status == "completed" and "pruned" in statuses and "completed" not in statuses
    results = replace(run.results, status="pruned") if is_pruned else run.results
    return replace(run, is_trial=True, results=results)


def without_repeats(runs: Sequence[Run], base: Path) -> tuple[list[Run], list[str]]:
    """`runs` without completed ones of the configuration of an earlier one, and a line, from `base`, for each of these.

    They would count as seeds, which they are not.
    """
    first: dict[str, Run] = {}
    once, repeated = [], []
    for run in runs:
        if run.results.status == "completed" and first.setdefault(run.results.config_hash, run) is not run:
            names = (os.path.relpath(each.folder, base) for each in (run, first[run.results.config_hash]))
            repeated.append("{}: left out, the same configuration as {}".format(*names))
        else:
            once.append(run)
    return once, repeated


def titles(folders: list[Path]) -> list[str]:
    """Title of each folder: its name without the time, and a number if several have the same."""
    short_names = [re.sub(r"^[\d-]+_[\d-]+_", "", printable(folder.resolve().name)) for folder in folders]
    numbered_names = [f"{name} {short_names[:i].count(name) + 1}" for i, name in enumerate(short_names)]
    return [
        name if short_names.count(name) == 1 else numbered_name
        for name, numbered_name in zip(short_names, numbered_names, strict=True)
    ]
