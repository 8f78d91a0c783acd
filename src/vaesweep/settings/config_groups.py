"""The groups of the configuration: folders of conf/ with a file for each option."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from vaesweep.errors import ConfigError
from vaesweep.settings.text_and_path_rules import is_text

CONF = Path(__file__).parents[3] / "conf"


def options(group: str) -> list[str]:
    """The options of a group, [] where conf/ has no such group."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml") if not path.stem.startswith("_"))


def check_groups(overrides: Sequence[str]) -> None:
    """Refuse an override that takes something else than a name for a group. Raises `ConfigError`."""
    parser = OverridesParser.create()
    for text in overrides:
        try:
            override = parser.parse_override(text)
        except HydraException:  # which Hydra says better
            continue
        except ValueError as error:  # a number of more digits than Python reads
            key, _, given = text.partition("=")
            raise ConfigError(key, f"{given[:20]}... of {len(given)} characters", "a value that can be read") from error
        names = options(override.key_or_group) if override.package is None else []
        if not names or override.is_delete() or override.is_sweep_override():
            continue
        value = override.value()
        if not all(map(is_name, value if isinstance(value, list) else [value])):
            raise ConfigError(override.key_or_group, value, " | ".join(names))


def is_name(value: object) -> bool:
    """Whether `value` can be the name of an option."""
    return isinstance(value, str) and is_text(value) and "${" not in value
