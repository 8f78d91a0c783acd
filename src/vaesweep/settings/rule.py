"""A rule: what a setting may be, and the words for it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

from vaesweep.errors import ConfigError


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


def optional(rule: Rule) -> Rule:
    """The same rule for a setting that may be left out."""
    return replace(rule, required=False)


NULL = Rule(lambda given: given is None, "null")
SET_BY_RUN = optional(Rule(lambda given: False, "nothing: the run sets it"))
