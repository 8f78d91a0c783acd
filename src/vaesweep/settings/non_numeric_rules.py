"""Rules beyond numbers and names: text, paths, durations, parts with a `_target_`."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vaesweep.settings.value_rules import Rule, integer, is_number, number

TEXT_LENGTH = 200
"""Characters of a name: file systems take 255 bytes."""
PATH_LENGTH = 4000
UNITS = ("weeks", "days", "hours", "minutes", "seconds")


def optional(rule: Rule) -> Rule:
    """The same rule for a setting that may be left out."""
    return replace(rule, required=False)


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


def is_part(given: Any) -> bool:
    """Whether `given` describes an object: a mapping with the name of a class or a function."""
    return isinstance(given, Mapping) and is_target(given.get("_target_"))


def is_target(given: Any) -> bool:
    """Whether `given` is a dotted name."""
    return isinstance(given, str) and "." in given and all(word.isidentifier() for word in given.split("."))


def is_plain(given: Any) -> bool:
    """Whether `given` is a scalar, or lists and mappings of scalars."""
    if isinstance(given, Mapping):
        return all(is_plain(value) for value in given.values())
    if isinstance(given, list):
        return all(is_plain(value) for value in given)
    return given is None or isinstance(given, str | bool) or is_number(given)


NULL = Rule(lambda given: given is None, "null")
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
PART = Rule(is_part, "a mapping with _target_")
PARTS = Rule(lambda given: isinstance(given, Mapping), "a mapping of parts, each with _target_", inner=PART)
NAMES = Rule(lambda given: isinstance(given, Mapping), "a mapping of names", inner=TEXT)
PLAIN = Rule(is_plain, "a number, text, true, false, null, or lists and mappings of them")
SHARE = Rule(
    lambda given: (isinstance(given, float) and 0 < given <= 1) or integer(1).accepts(given),
    "a whole number of batches of at least 1, or a share of them in (0, 1]",
)
BETAS = Rule(
    lambda given: isinstance(given, list) and len(given) == 2 and all(map(is_beta, given)),
    "two numbers in [0, 1), such as [0.9, 0.999]",
)
SET_BY_RUN = optional(Rule(lambda given: False, "nothing: the run sets it"))


def is_beta(given: Any) -> bool:
    """Whether `given` is a decay rate of Adam's."""
    return is_number(given) and 0 <= given < 1
