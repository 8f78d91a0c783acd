"""Checks of settings, and errors whose message is one line: a wrong setting, a loss that diverged."""

import math
from collections.abc import Iterable


class ConfigError(ValueError):
    """A setting that cannot be used; its text is `key: got GIVEN; allowed: ALLOWED`."""

    def __init__(self, key: str, given: object, allowed: str) -> None:
        super().__init__(key, given, allowed)
        self.key, self.given, self.allowed = key, given, allowed

    def __str__(self) -> str:
        return f"{self.key}: got {'nothing' if self.given == '' else self.given}; allowed: {self.allowed}"


class DivergenceError(ArithmeticError):
    """A term of the objective is no longer finite."""


def reason(error: Exception) -> str:
    """The message of an error in one line, with its class if it is not one of ours."""
    line = " ".join(str(error).split())
    return line if isinstance(error, ConfigError | DivergenceError) else f"{type(error).__name__}: {line}"


def check_float(
    key: str, given: object, low: float = -math.inf, high: float = math.inf, *, strict: bool = False
) -> float:
    """`given` as a float in [low, high], or in (low, high) when `strict`. Raises `ConfigError`."""
    left, right = ("(", ")") if strict else ("[", "]")
    if high < math.inf:
        allowed = f"a number in {left}{low:g}, {high:g}{right}"
    else:
        allowed = f"a number {'above' if strict else 'of at least'} {low:g}" if low > -math.inf else "a number"
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ConfigError(key, given, allowed)
    inside = low < given < high if strict else low <= given <= high
    if not inside:
        raise ConfigError(key, given, allowed)
    return float(given)


def check_int(key: str, given: object, low: int = 1) -> int:
    """`given` as an int of at least `low`. Raises `ConfigError`."""
    if isinstance(given, bool) or not isinstance(given, int) or given < low:
        raise ConfigError(key, given, f"a whole number of at least {low}")
    return given


def check_ints(key: str, given: object, low: int = 1) -> None:
    """Raises `ConfigError` unless `given` is a list of ints of at least `low`."""
    if not isinstance(given, list | tuple) or any(
        isinstance(g, bool) or not isinstance(g, int) or g < low for g in given
    ):
        raise ConfigError(key, given, f"a list of whole numbers of at least {low}, such as [400] or []")


def check_bool(key: str, given: object) -> bool:
    """`given` as true or false. Raises `ConfigError`."""
    if not isinstance(given, bool):
        raise ConfigError(key, given, "true | false")
    return given


def check_choice(key: str, given: object, allowed: Iterable[str]) -> str:
    """`given` when it is one of the names `allowed`. Raises `ConfigError`."""
    names = list(allowed)
    if not isinstance(given, str) or given not in names:
        raise ConfigError(key, given, " | ".join(names))
    return given
