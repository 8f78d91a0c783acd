"""How a command line becomes a run: one-line errors, objects built from config."""

import os
import re
import sys
from collections.abc import Callable
from textwrap import shorten
from typing import Any, NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from vaesweep import naming  # noqa: F401  its resolvers
from vaesweep.checks import Diverged, Invalid
from vaesweep.resuming import resumed
from vaesweep.signals import follow_parent

MENDABLE = (Invalid, Diverged, HydraException, OmegaConfBaseException)
"""Errors that a person can mend without reading our code."""
EXTRAS = {"submitit_slurm": "slurm", "submitit_local": "slurm", "ray": "ray"}
"""The extra of ours that brings a launcher."""
# asked once, for the processes that this one starts too: further down HYDRA_FULL_ERROR is set to 1 for all
TRACEBACKS = os.environ.setdefault("VAESWEEP_TRACEBACKS", os.environ.get("HYDRA_FULL_ERROR", "0")) == "1"


def launch(main: Callable[[], Any]) -> None:
    """Run a Hydra `main`; what the person got wrong is told in one line on standard error, with exit code 1.

    With HYDRA_FULL_ERROR=1 in the environment errors keep their tracebacks.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that Hydra hands its errors over instead of printing them
    follow_parent()
    try:
        sys.argv = resumed(sys.argv)
        main()
    except MENDABLE as error:
        tell(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def job(run: Callable[[DictConfig], Any], config: DictConfig) -> Any:
    """`run(config)` as a job of Hydra's: in a sweep errors are raised, for the other jobs to go on without it."""
    try:
        return run(config)
    except MENDABLE as error:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            raise
        tell(error)  # here, because Hydra has a line of its own to say about an error that reaches it


def tell(error: Exception) -> NoReturn:
    """Exit with the error's one line, or raise it where tracebacks are wanted."""
    if TRACEBACKS:
        raise error
    sys.exit(f"error: {one_line(error)}")


def one_line(error: Exception) -> str:
    """The message of an error of ours or of Hydra's, in one line that starts with the key."""
    text = " ".join(str(error).split())
    for plugin, extra in EXTRAS.items():
        if f"'hydra/launcher/{plugin}'" in text:
            return str(Invalid("hydra/launcher", f"{plugin} without its package", f"pip install -e '.[{extra}]' first"))
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return str(Invalid(group, name, " | ".join(o for o in error.options if not o.startswith("_"))))
    if isinstance(error, MissingMandatoryValue):
        return str(Invalid(str(error.full_key), "nothing", f"a value, given as {error.full_key}=..."))
    if isinstance(error, OverrideParseException):
        return f"{error.override}: cannot be read as an override ({text.split(' See http')[0]})"
    if isinstance(error, ConfigCompositionException) and error.__cause__ is not None:
        reason = str(error.__cause__).splitlines()[0]
        key = re.search(r"'([^']+)'", text)
        if "not in struct" in reason and key:
            parent = getattr(error.__cause__, "parent_node", None) or {}
            known = ", ".join(str(k) for k in parent if not str(k).startswith("_"))
            return f"{key[1]}: no such key here; allowed: {known}"
        return f"{text.split(' To append')[0]}: {reason}"
    return text


def build(config: DictConfig, key: str, /, **rest: Any) -> Any:
    """Instantiate `config.key`, with what does not come from config (shapes, other objects) in `rest`.

    An `Invalid` from a constructor names its own argument; here it gets the full key, such as `model.beta`. Whatever
    else a constructor refuses, Lightning's Trainer for example, becomes an `Invalid` of the whole part.
    """
    node = OmegaConf.select(config, key)
    try:
        # partial, so that `rest` reaches the constructor as it is: Hydra would turn records into config
        return instantiate(node, _partial_=True, _convert_="all")(**rest)
    except Exception as error:
        cause = error.__cause__ if isinstance(error, InstantiationException) else error
        if not isinstance(cause, Invalid):
            given = f"settings that it does not take ({shorten(str(cause or error), 250)})"
            raise Invalid(key, given, "see `--cfg job`; HYDRA_FULL_ERROR=1 shows where it was refused") from error
        inner = re.search(r"full_key: (\S+)", str(error))
        at = inner[1] if inner else key
        owner = OmegaConf.select(config, at)
        raise Invalid(f"{at}.{cause.key}" if cause.key in owner else cause.key, cause.given, cause.allowed) from None
