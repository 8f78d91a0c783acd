"""Rules for settings that are text, paths or durations."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vaesweep.settings.number_rules import number
from vaesweep.settings.rule import Rule

TEXT_LENGTH = 200
"""Characters of a name: file systems take 255 bytes."""
PATH_LENGTH = 4000
UNITS = ("weeks", "days", "hours", "minutes", "seconds")


def is_text(given: Any, length: int = TEXT_LENGTH) -> bool:
    """Whether `given` is a printable line of 1 to `length` characters."""
    return isinstance(given, str) and 0 < len(given) <= length and given.isprintable()


def is_filename(given: Any) -> bool:
    """Whether `given` names a file below the folder that it is joined to."""
    return is_text(given) and len(os.fsencode(given)) <= TEXT_LENGTH and not given.startswith("/") and ".." not in given


def is_path(given: Any) -> bool:
    """Whether `given` can be a path."""
    return is_text(given, PATH_LENGTH) and all(len(os.fsencode(part)) <= 255 for part in Path(given).parts)


def is_folder(given: Any) -> bool:
    """Whether `given` is a folder that exists, or ./data, the default, which a download creates."""
    if not is_path(given):
        return False
    path = Path(given).expanduser()
    return path.is_dir() or (path.absolute() == Path("data").absolute() and not path.exists())


def is_creatable(given: Any) -> bool:
    """Whether `given` is a folder, or could be created as one."""
    if not is_path(given):
        return False
    path = Path(given).expanduser().absolute()
    existing = next(parent for parent in (path, *path.parents) if os.path.lexists(parent))
    return existing.is_dir() and os.access(existing, os.W_OK)


def is_duration(given: Any) -> bool:
    """Whether `given` is a time span as Lightning takes it, of more than nothing."""
    if isinstance(given, Mapping):
        known = all(unit in UNITS and number(0, 1e6).accepts(span) for unit, span in given.items())
        return known and any(given.values())
    is_span = isinstance(given, str) and re.fullmatch(r"\d{1,5}:\d\d:\d\d:\d\d", given) is not None
    return is_span and any(digit in given for digit in "123456789")


TEXT = Rule(is_text, f"a line of text of at most {TEXT_LENGTH} characters (a number in quotes)")
LONG_TEXT = Rule(lambda given: isinstance(given, str), "text")
TEXTS = Rule(lambda given: isinstance(given, list) and all(map(is_text, given)), "a list of names, such as [a,b]")
FILENAME = Rule(is_filename, f"a file name of at most {TEXT_LENGTH} characters, without ..")
PATH = Rule(is_path, "a path")
FOLDER = Rule(is_folder, "a folder that exists (create it first where data are to be downloaded)")
CREATABLE = Rule(is_creatable, "a folder, which is created where its parent exists and can be written to")
FOLDER_IN_RUN = Rule(is_path, "a folder in the folder of the run, such as ${folder}/checkpoints", in_run="folder")
FILE_IN_RUN = Rule(is_path, "a file in the folder of the run, such as ${folder}/history.csv", in_run="file")
DURATION = Rule(is_duration, "DAYS:HOURS:MINUTES:SECONDS such as 00:01:30:00, or a mapping such as {hours: 2}")
