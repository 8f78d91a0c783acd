"""The space of a search: what each setting is drawn from, how a value is written, and values that the user chose."""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override

from vaesweep.errors import ConfigError
from vaesweep.settings.rule import is_number

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial


def distribution(key: str, override: Override) -> "BaseDistribution":
    """What the values of a setting are drawn from. Choices are text, as overrides have them. Raises `ConfigError`."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    sweep = override.value()
    tags = {"log", "int"} if isinstance(sweep, IntervalSweep) else set()
    given_tags: set[str] = getattr(sweep, "tags", set())  # a glob has none
    if unknown := given_tags - tags:
        given = f"the tag {', '.join(sorted(unknown))}"
        raise ConfigError(key, given, "log | int" if tags else "no tag: log and int are for interval(...)")
    if not isinstance(sweep, IntervalSweep):
        choices = list(dict.fromkeys(override.sweep_string_iterator()))
        if not choices:
            raise ConfigError(key, override.input_line, "one value or more")
        return CategoricalDistribution(choices)
    low, high, is_log = sweep.start, sweep.end, "log" in sweep.tags
    if low is None or high is None or not 0 < high - low < math.inf or (is_log and low <= 0):
        raise ConfigError(key, f"an interval from {low} to {high}", "two numbers that rise, for tag(log, ...) above 0")
    if "int" not in sweep.tags and not isinstance(low, int):
        return FloatDistribution(low, high, log=is_log)
    least, most = math.ceil(low), math.floor(high)
    if least > most:
        given, allowed = f"an interval from {low} to {high}", "one with a whole number in it, for tag(int, ...)"
        raise ConfigError(key, given, allowed)
    return IntDistribution(least, most, log=is_log)


def as_before(
    space: Mapping[str, "BaseDistribution"], trials: Iterable["FrozenTrial"]
) -> dict[str, "BaseDistribution"]:
    """The space with its choices in the order of earlier trials: optuna takes them in no other.

    An interval may get other ends. Raises `ConfigError` for other choices and for another kind of interval.
    """
    from optuna.distributions import CategoricalDistribution, check_distribution_compatibility

    space = dict(space)
    earlier = {key: drawn_from for trial in trials for key, drawn_from in trial.distributions.items() if key in space}
    for key, before in earlier.items():
        now = space[key]
        if isinstance(now, CategoricalDistribution) and isinstance(before, CategoricalDistribution):
            space[key] = before if set(now.choices) == set(before.choices) else now
        try:
            check_distribution_compatibility(before, space[key])
        except ValueError:
            raise ConfigError(key, in_words(now), f"as at the start of the search, {in_words(before)}") from None
    return space


def sample_jobs(space: Mapping[str, "BaseDistribution"], fixed: list[str]) -> list[list[str]]:
    """The overrides of as few jobs as have each choice of each setting, and the lower end of each interval."""
    values = {
        key: [written(each, one) for each in getattr(one, "choices", None) or [getattr(one, "low", None)]]
        for key, one in space.items()
    }
    count = max(map(len, values.values()))
    return [[*fixed, *(f"{key}={own[i % len(own)]}" for key, own in values.items())] for i in range(count)]


def in_words(drawn_from: "BaseDistribution") -> str:
    """A distribution as an override has it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(drawn_from, CategoricalDistribution):
        return f"choice({','.join(map(str, drawn_from.choices))})"
    assert isinstance(drawn_from, FloatDistribution | IntDistribution)
    interval = f"interval({drawn_from.low:g},{drawn_from.high:g})"
    tags = ["int"] * isinstance(drawn_from, IntDistribution) + ["log"] * drawn_from.log
    return f"tag({','.join(tags)},{interval})" if tags else interval


def first_settings(
    settings: Mapping[str, Any], space: Mapping[str, "BaseDistribution"], fixed: Collection[str]
) -> dict[str, Any]:
    """The settings of a trial that the user chose, as they would be drawn, without those that are `fixed`.

    Raises `ConfigError` for any that would not be drawn.
    """
    chosen = {}
    for key, value in settings.items():
        if key in fixed:
            continue
        if key not in space:
            raise ConfigError("hydra.sweeper.first", key, f"a setting that is searched: {', '.join(space)}")
        if (drawn := as_drawn(value, space[key])) is None:
            raise ConfigError("hydra.sweeper.first", f"{key}={value}", f"a value of {in_words(space[key])}")
        chosen[key] = drawn
    return chosen


def as_drawn(value: Any, drawn_from: "BaseDistribution") -> Any:
    """A value as a trial would draw it, or None where none would: choices are text, however the value is spelled."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(drawn_from, CategoricalDistribution):
        parser = OverridesParser.create()
        for choice in map(str, drawn_from.choices):
            parsed = parser.parse_override(f"key={choice}").value()
            if value == choice or (value == parsed and isinstance(value, bool) == isinstance(parsed, bool)):
                return choice
        return None
    assert isinstance(drawn_from, FloatDistribution | IntDistribution)
    if not is_number(value) or not drawn_from.low <= value <= drawn_from.high:
        return None
    if isinstance(drawn_from, FloatDistribution):
        return float(value)
    return int(value) if value == int(value) else None


def written(value: Any, drawn_from: "BaseDistribution") -> str:
    """A drawn value as an override has it. A number has four digits, for the names of folders, or as many as its
    interval needs.
    """
    from optuna.distributions import FloatDistribution

    if not isinstance(drawn_from, FloatDistribution):
        return str(value)
    low, high = drawn_from.low, drawn_from.high
    digits = 4 + max(0, math.floor(math.log10(max(abs(low), abs(high)) / (high - low))))
    texts = [f"{value:.{more}g}" for more in range(digits, 18)]
    return next((text for text in texts if low <= float(text) <= high), texts[0])


def written_settings(trial: "FrozenTrial") -> dict[str, str]:
    """The settings of a trial as overrides have them: trials in which they are the same are one job."""
    return {key: written(value, trial.distributions[key]) for key, value in trial.params.items()}
