"""Objects from configuration."""

import re
import sys
from textwrap import shorten
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from vaesweep.errors import ConfigError
from vaesweep.settings.literal_folders import escape


def add_import_path(folder: str) -> None:
    """Let a `_target_` name objects in the files of `folder`. Installed packages of the same name go first."""
    if folder not in sys.path:
        sys.path.append(folder)


def without_references(config: DictConfig) -> Any:
    """A copy of `config` with nothing to resolve in it, for `instantiate`, which resolves it and reads it again."""

    def literal(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: literal(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [literal(inner) for inner in value]
        return escape(escape(value)) if isinstance(value, str) else value

    return OmegaConf.create(literal(OmegaConf.to_container(config, resolve=True)))


def build(config: DictConfig, key: str, /, **rest: Any) -> Any:
    """Instantiate `config.key`, with what does not come from config (shapes, other objects) in `rest`.

    A `ConfigError` from a constructor names its own argument; here it gets the full key, such as `model.beta`. Any
    other error of a constructor, such as Lightning's Trainer, becomes a `ConfigError` for `key`.
    """
    node = OmegaConf.select(config, key)
    try:
        if "${" in str(config.get("folder")):  # resolved by now, it is the name of a folder
            node = OmegaConf.select(without_references(config), key)
        # partial, so that `rest` reaches the constructor as it is: Hydra would turn records into config
        return instantiate(node, _partial_=True, _convert_="all")(**rest)
    except Exception as error:
        cause = error.__cause__ if isinstance(error, InstantiationException) else error
        if not isinstance(cause, ConfigError):
            given = f"settings that it does not take ({shorten(str(cause or error), 250)})"
            raise ConfigError(key, given, "see `--cfg job`; HYDRA_FULL_ERROR=1 shows where it was refused") from error
        inner = re.search(r"full_key: (\S+)", str(error))
        at = inner[1] if inner else key
        owner = OmegaConf.select(config, at)
        raise ConfigError(
            f"{at}.{cause.key}" if cause.key in owner else cause.key, cause.given, cause.allowed
        ) from None


def check_type(key: str, part: Any, base: type) -> None:
    """Refuse a part whose `_target_` makes something else than a `base`. Raises `ConfigError`."""
    if not isinstance(part, base):
        given = f"a {type(part).__module__}.{type(part).__name__}"
        raise ConfigError(key, given, f"a class that inherits from {base.__module__}.{base.__name__}")
