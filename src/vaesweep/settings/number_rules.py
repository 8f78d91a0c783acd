"""Rules for settings that are numbers, or lists of numbers."""

import math
from typing import Any

from vaesweep.settings.rule import Rule, is_int, is_number

FLOAT32_MAX = 3.4e38
"""Largest float of a setting: knobs and weights are 32-bit floats."""
INT_MAX = 2**31 - 1
"""Largest int of a setting, where its rule names no other."""


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


SHARE = Rule(
    lambda given: (isinstance(given, float) and 0 < given <= 1) or integer(1).accepts(given),
    "a whole number of batches of at least 1, or a share of them in (0, 1]",
)
BETAS = Rule(
    lambda given: isinstance(given, list) and len(given) == 2 and all(map(is_beta, given)),
    "two numbers in [0, 1), such as [0.9, 0.999]",
)


def is_beta(given: Any) -> bool:
    """Whether `given` is a decay rate of Adam's."""
    return is_number(given) and 0 <= given < 1
