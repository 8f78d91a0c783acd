"""The one line that an error is printed in: ours, Hydra's, or another's."""

import re
from typing import Any

from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from vaesweep.errors import ConfigError
from vaesweep.settings.config_groups import CONF

EXTRAS = {"submitit_slurm": "slurm", "submitit_local": "slurm", "ray": "ray"}
"""The extra of this package that installs a launcher."""


def one_line(error: Exception) -> str:
    """The message of an error of ours or of Hydra's, in one line that starts with the key."""
    text = " ".join(str(error).split())
    for plugin, extra in EXTRAS.items():
        if f"'hydra/launcher/{plugin}'" in text:
            return str(
                ConfigError("hydra/launcher", f"{plugin} without its package", f"pip install -e '.[{extra}]' first")
            )
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return str(ConfigError(group, name, " | ".join(o for o in error.options if not o.startswith("_"))))
    if isinstance(error, MissingMandatoryValue):
        return str(ConfigError(str(error.full_key), "nothing", f"a value, given as {error.full_key}=..."))
    if isinstance(error, OverrideParseException):
        return f"{error.override}: cannot be read as an override ({text.split(' See http')[0]})"
    if isinstance(error, ConfigCompositionException) and error.__cause__ is not None:
        reason = str(error.__cause__).splitlines()[0]
        key = re.search(r"'([^']+)'", text)
        if "not in struct" in reason and key:
            parent = getattr(error.__cause__, "parent_node", None) or {}
            known = ", ".join(str(k) for k in parent if not str(k).startswith("_"))
            meant = paths_ending_in(key[1], parent)
            question = f" (did you mean {' or '.join(meant)}?)" if meant else ""
            owners = options_with(key[1])
            question = question or (f" ({' or '.join(owners)} has it)" if owners else "")
            return f"{key[1]}: no such key here; allowed: {known}{question}"
        return f"{text.split(' To append')[0]}: {reason}"
    return text


def options_with(path: str) -> list[str]:
    """The options of a config group whose file has a setting, such as `model=beta_vae` for model.beta."""
    group, _, key = path.partition(".")
    files = sorted((CONF / group).glob("*.yaml"))
    return [f"{group}={file.stem}" for file in files if key and key in (OmegaConf.load(file) or {})]


def paths_ending_in(key: str, config: Any, prefix: str = "") -> list[str]:
    """The settings below `config` that are called `key`, by their whole names, such as model.beta."""
    paths = []
    for name in config:
        child = config._get_node(name)
        if str(name) == key:
            paths.append(f"{prefix}{name}")
        elif (
            isinstance(child, DictConfig) and not child._is_interpolation() and not child._is_none() and name != "hydra"
        ):
            paths += paths_ending_in(key, child, f"{prefix}{name}.")
    return paths
