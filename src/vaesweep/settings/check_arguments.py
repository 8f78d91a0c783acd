"""Checks of arguments, for the classes that are given them."""

import math
from collections.abc import Iterable
from typing import Any

from vaesweep.settings.number_rules import integer, integers, number
from vaesweep.settings.rule import BOOL, choice


def check_float(key: str, given: Any, low: float = -math.inf, high: float = math.inf, *, strict: bool = False) -> float:
    """`given` as a float in [low, high], or in (low, high) when `strict`. Raises `ConfigError`."""
    number(low, high, strict=strict).check(key, given)
    return float(given)


def check_int(key: str, given: Any, low: int = 1) -> int:
    """`given` as an int of at least `low`. Raises `ConfigError`."""
    integer(low).check(key, given)
    return int(given)


def check_ints(key: str, given: object, low: int = 1) -> None:
    """Raises `ConfigError` unless `given` is a list of ints of at least `low`."""
    integers(low).check(key, given)


def check_bool(key: str, given: Any) -> bool:
    """`given` as true or false. Raises `ConfigError`."""
    BOOL.check(key, given)
    return bool(given)


def check_choice(key: str, given: Any, allowed: Iterable[str]) -> str:
    """`given` when it is one of the names `allowed`. Raises `ConfigError`."""
    choice(*allowed).check(key, given)
    return str(given)
