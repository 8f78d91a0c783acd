"""How a command line becomes a run: one-line errors, resumed folders, objects built from config."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
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

from vaesweep.checks import Diverged, Invalid

OVERRIDES, CHECKPOINT = Path(".hydra/overrides.yaml"), Path("checkpoints/last.ckpt")
RESUMABLE = (
    "trainer.",
    "trainer=",
    "logger.",
    "callbacks.",
    "callbacks=",
    "test=",
    "compile=",
    "data.root=",
    "data.on_device=",
)
MENDABLE = (Invalid, Diverged, HydraException, OmegaConfBaseException)
"""Errors that a person can mend without reading our code."""
# asked once, for the processes that this one starts too: further down HYDRA_FULL_ERROR is set to 1 for all
TRACEBACKS = os.environ.setdefault("VAESWEEP_TRACEBACKS", os.environ.get("HYDRA_FULL_ERROR", "0")) == "1"


def launch(main: Callable[[], Any]) -> None:
    """Run a Hydra `main`; what the person got wrong is told in one line on standard error, with exit code 1.

    With HYDRA_FULL_ERROR=1 in the environment errors keep their tracebacks.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that Hydra hands its errors over instead of printing them
    try:
        sys.argv = resumed(sys.argv)
        main()
    except MENDABLE as error:
        tell(error)


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


def resumed(argv: list[str]) -> list[str]:
    """`argv` with `resume=DIR` expanded to the overrides that DIR was run with, in DIR itself; later ones win.

    Only settings that leave the trained objective as it is may be given with it: weights and knobs come from the
    checkpoint. What remains is `resume=true`: go on from the run folder's last checkpoint, if there is one. Raises
    `Invalid` for other settings, and when DIR is not a run folder.
    """
    given = next((a.removeprefix("resume=") for a in argv[1:] if a.startswith("resume=")), "false")
    if given in ("true", "false"):
        return argv
    folder = Path(given).expanduser().absolute()
    if not (folder / OVERRIDES).is_file():
        raise Invalid("resume", given, f"the folder of an earlier run (one with {OVERRIDES} in it)")
    recorded = OmegaConf.to_object(OmegaConf.load(folder / OVERRIDES))
    assert isinstance(recorded, list)
    mine = [a for a in argv[1:] if not a.startswith("resume=")]
    past = [str(r) for r in recorded if not str(r).startswith("resume=")]
    for override in mine:
        if not override.startswith(("-", "hydra.", *RESUMABLE)):
            allowed = ", ".join(dict.fromkeys(key.rstrip(".=") for key in RESUMABLE))
            raise Invalid("resume", f"{override} with it", f"settings of {allowed}")
    where = [f"hydra.run.dir={quoted(folder)}", "hydra.output_subdir=null"]
    return [argv[0], *past, *mine, "resume=true", *where]


def quoted(path: Path) -> str:
    """A path as a Hydra override value, whatever characters it holds."""
    return "'" + str(path).replace("\\", "\\\\").replace("'", "\\'") + "'"


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
