"""Rules for settings that are mappings: parts with a `_target_`, names, plain values."""

from collections.abc import Mapping
from typing import Any

from vaesweep.settings.rule import Rule, is_number
from vaesweep.settings.text_and_path_rules import TEXT


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


PART = Rule(is_part, "a mapping with _target_")
PARTS = Rule(lambda given: isinstance(given, Mapping), "a mapping of parts, each with _target_", inner=PART)
NAMES = Rule(lambda given: isinstance(given, Mapping), "a mapping of names", inner=TEXT)
PLAIN = Rule(is_plain, "a number, text, true, false, null, or lists and mappings of them")
