"""Checks of the fields of a record in JSON, made once, when it is read."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vaesweep.errors import ConfigError
from vaesweep.settings.number_rules import integer, number
from vaesweep.settings.rule import Rule, is_number

Check = Callable[[str, Any], None]
"""A function of a field's name and value that raises `ConfigError` unless the value is one that a run records."""
MAX_DEPTH = 50
"""Most mappings and lists within each other; the configuration of a run has about six."""
FLOAT64_MAX = 1.7e308
TEXT = Rule(lambda given: isinstance(given, str), "text").check
MAPPING = Rule(lambda given: isinstance(given, dict), "a mapping").check
LIST = Rule(lambda given: isinstance(given, list), "a list").check
LINE = Rule(lambda given: isinstance(given, str) and given.splitlines() == [given], "one line of text").check
BOOL = Rule(lambda given: isinstance(given, bool), "true | false").check
COUNT = integer(0, 2**63 - 1).check
SEED = integer(0, 2**32 - 1).check
NUMBER = Rule(
    # infinities and NaN are numbers of ours; an int may be too large for a float
    lambda given: isinstance(given, float) or (is_number(given) and abs(given) < FLOAT64_MAX),
    "a number",
).check
DURATION = number(0).check


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a file of JSON. Raises FileNotFoundError, or ValueError in one line that names the file."""
    text = read_text(path)
    try:
        content = json.loads(text)
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None
    except ValueError:
        raise ValueError(f"{path.name} is cut short or not JSON") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is not the record of a run")
    check_tree(f"{path.name}:", content)
    return content


def read_text(path: Path) -> str:
    """The text of a file in UTF-8. Raises FileNotFoundError, or ValueError in one line that names the file."""
    if path.exists() and not path.is_file():  # a folder; reading a pipe would never end
        raise ValueError(f"{path.name} is no file")
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not text in UTF-8") from None


def check_tree(key: str, value: Any, depth: int = 0) -> None:
    """Raises ValueError for what is nested too deeply, and for text that cannot be written to a file."""
    if depth > MAX_DEPTH:
        raise ValueError(f"{key.partition(':')[0]} is nested too deeply")
    if isinstance(value, str):
        Rule(is_unicode, "text in UTF-8").check(key, value)
    if isinstance(value, dict):
        for name, inner in value.items():
            check_tree(key, name)
            check_tree(name_in(key, name), inner, depth + 1)
    if isinstance(value, list):
        for inner in value:
            check_tree(key, inner, depth + 1)


def is_unicode(text: str) -> bool:
    """Whether `text` has no half of a surrogate pair, which JSON can write and UTF-8 cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def name_in(key: str, name: object) -> str:
    """The name of a field of `key`, which is the name of another field, or of a file and a colon."""
    return f"{key} {name}" if key.endswith(":") else f"{key}.{name}"


def fields(checks: Mapping[str, Check], *, closed: bool = False) -> Check:
    """The check of a mapping by its fields: `checks` of those that it has; a `closed` one has no others."""

    def check(key: str, given: Any) -> None:
        MAPPING(key, given)
        for name, value in given.items():
            if name in checks:
                checks[name](name_in(key, name), value)
            elif closed:
                raise ConfigError(name_in(key, name), value, f"only the fields {', '.join(checks)}")

    return check


def has(*names: str) -> Check:
    """The check that a mapping has these fields. Raises ValueError."""

    def check(key: str, given: Any) -> None:
        for name in names:
            if name not in given:
                raise ValueError(f"{name_in(key, name)} is missing")

    return check


def every(*checks: Check) -> Check:
    """All these checks, one after the other."""

    def check(key: str, given: Any) -> None:
        for one in checks:
            one(key, given)

    return check


def mapping_of(inner: Check) -> Check:
    """The check of a mapping, of each of its values by `inner`."""

    def check(key: str, given: Any) -> None:
        MAPPING(key, given)
        for name, value in given.items():
            inner(name_in(key, name), value)

    return check


def list_of(inner: Check) -> Check:
    """The check of a list, of each of its items by `inner`."""

    def check(key: str, given: Any) -> None:
        LIST(key, given)
        for i, value in enumerate(given):
            inner(name_in(key, i), value)

    return check


def or_null(inner: Check) -> Check:
    """The check of a value that may be null."""
    return lambda key, given: None if given is None else inner(key, given)
