"""Configurations composed in this process, as a command line composes them."""

import os
from copy import deepcopy
from functools import cache

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from vaesweep.settings.config_groups import CONF
from vaesweep.settings.literal_folders import escape

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
"""The names of all models."""


def compose_run(*overrides: str, folder: os.PathLike[str]) -> DictConfig:
    """The configuration of a run that `overrides` ask for, in `folder`, with Hydra's part made the current one."""
    composed = compose_whole(*overrides)
    OmegaConf.update(composed, "hydra.runtime.output_dir", escape(str(folder)))
    HydraConfig.instance().set_config(composed)
    with open_dict(composed):
        del composed["hydra"]
    return composed


def compose_whole(*overrides: str) -> DictConfig:
    """What Hydra composes from `overrides`.

    Only the options of groups are composed, once for each set of them; a copy gets the settings, as Hydra does it.
    Composing takes longer than many tests.
    """
    settings = [override for override in overrides if not is_of_group(override)]
    composed = deepcopy(compose_options(*(override for override in overrides if override not in settings)))
    ConfigLoaderImpl._apply_overrides_to_config(OverridesParser.create().parse_overrides(settings), composed)
    composed.hydra.overrides.task = [override for override in overrides if not override.startswith("hydra")]
    composed.hydra.runtime.cwd = os.getcwd()
    return composed


def is_of_group(override: str) -> bool:
    """Whether an override names an option of a group, or something of Hydra's own."""
    key = override.lstrip("+~").partition("=")[0].partition("@")[0]
    return key.startswith("hydra") or (CONF / key).is_dir()


@cache
def compose_options(*overrides: str) -> DictConfig:
    """The configuration of options; to be copied, not to be changed."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", list(overrides), return_hydra_config=True)
