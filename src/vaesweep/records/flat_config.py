"""The values of a configuration, flat and in one form, and what its model and data are called."""

from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig


def canonical(value: Any) -> Any:
    """`value` with 4.0 as 4: a knob is a float either way."""
    if isinstance(value, Mapping):
        return {key: canonical(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [canonical(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def component_name(config: DictConfig, group: str, overrides: Sequence[str]) -> str:
    """What the model or data of a run are called: the file's name in the group, or the class given instead of its."""
    if any(override.lstrip("+").startswith(f"{group}._target_=") for override in overrides):
        return str(config[group]["_target_"]).rpartition(".")[2]
    return str(config.choices[group])


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as `model.beta`: value."""
    out: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        out |= flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return out
