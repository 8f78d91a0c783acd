"""Rules for the values of settings, and checks by them."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from vaesweep.errors import ConfigError

FLOAT32_MAX = 3.4e38
"""Largest float of a setting: knobs and weights are 32-bit floats."""
INT_MAX = 2**31 - 1
"""Largest int of a setting, where its rule names no other."""


@dataclass(frozen=True)
class Rule:
    """What a setting may be: a test of its value, and the words for what passes it.

    `most` is a limit that only a value beyond it needs to be told. `required` says whether the setting must be there.
    `inner` is the rule for each value of a mapping. `in_run` is file or folder for a path that has to lie in the folder
    of the run.
    """

    accepts: Callable[[Any], bool]
    allowed: str
    most: float = math.inf
    required: bool = True
    inner: "Rule | None" = None
    in_run: str | None = None

    def check(self, key: str, given: Any) -> None:
        """Raises `ConfigError` unless `given` passes."""
        if not self.accepts(given):
            is_beyond = is_number(given) and given > self.most
            raise ConfigError(key, given, f"{self.allowed}, at most {self.most:g}" if is_beyond else self.allowed)

    def __or__(self, other: "Rule") -> "Rule":
        return Rule(
            lambda given: self.accepts(given) or other.accepts(given),
            f"{self.allowed}, or {other.allowed}",
            min(self.most, other.most),
            inner=self.inner or other.inner,
            in_run=self.in_run or other.in_run,
        )


def integer(low: int, high: int | None = None) -> Rule:
    """An int in [low, high]."""
    if high is None:
        return Rule(
            lambda given: is_int(given) and low <= given <= INT_MAX, f"a whole number of at least {low}", INT_MAX
        )
    return Rule(lambda given: is_int(given) and low <= given <= high, f"a whole number from {low} to {high}")


def number(low: float = -math.inf, high: float = math.inf, *, strict: bool = False) -> Rule:
    """An int or a float, finite, in [low, high], or in (low, high) when `strict`."""
    left, right = ("(", ")") if strict else ("[", "]")
    if high < math.inf:
        text = f"a number in {left}{low:g}, {high:g}{right}"
    else:
        text = f"a number {'above' if strict else 'of at least'} {low:g}" if low > -math.inf else "a number"

    def accepts(given: Any) -> bool:
        # compared, not converted: an int may be too large for a float
        finite = is_number(given) and -FLOAT32_MAX <= given <= FLOAT32_MAX
        return finite and (low < given < high if strict else low <= given <= high)

    return Rule(accepts, text, FLOAT32_MAX if high == math.inf else math.inf)


def integers(low: int) -> Rule:
    """A list of ints of at least `low`."""
    item = integer(low)
    text = f"a list of whole numbers of at least {low}, such as [400] or []"
    return Rule(lambda given: isinstance(given, list | tuple) and all(map(item.accepts, given)), text)


def choice(*names: str) -> Rule:
    """One of the names."""
    return Rule(lambda given: isinstance(given, str) and given in names, " | ".join(names))


def is_int(given: object) -> bool:
    """Whether `given` is an int, also one of NumPy, which true and false are not."""
    return isinstance(given, Integral) and not isinstance(given, bool)


def is_number(given: object) -> bool:
    """Whether `given` is an int or a float, also one of NumPy."""
    return isinstance(given, Real) and not isinstance(given, bool)


BOOL = Rule(lambda given: isinstance(given, bool), "true | false")


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
