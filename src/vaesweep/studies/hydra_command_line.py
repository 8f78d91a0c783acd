"""The command line of Hydra: reads it, checks it, writes parts of it."""

import re
from argparse import Namespace
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig, OmegaConf

from vaesweep.errors import ConfigError
from vaesweep.settings.literal_folders import escape


def parse(argv: list[str]) -> tuple[Namespace, list[str]]:
    """The options of Hydra's command line, and its overrides."""
    options, unknown = get_args_parser().parse_known_args(argv[1:])
    return options, [*options.overrides, *unknown]


def check_multirun(argv: list[str]) -> list[str]:
    """`argv`. Raises `ConfigError` for a study that is started without -m: Hydra would run a single job of it."""
    options, overrides = parse(argv)
    # the job of a study is started with its own folder, and the study among its overrides
    is_job = any(o.startswith(("hydra.run.dir=", "hydra.mode=")) for o in overrides)
    if not (options.multirun or is_job or options.cfg or options.info or options.help):
        for override in overrides:
            if override.startswith(("sweeps=", "hydra/launcher=", "hydra/sweeper=")) and not override.endswith(
                ("=null", "=basic")
            ):
                key, _, value = override.partition("=")
                raise ConfigError(
                    key, f"{value} without -m", f"python src/train.py -m {override} ..., a study of many runs"
                )
    return argv


def config_flags(hydra: DictConfig, script: str, given: Namespace | None = None) -> list[str]:
    """Flags for the folders of configuration that a run recorded in its `hydra` section, unless they are `given`.

    Those that `script` finds by itself are left out: the folder conf/ of its repository, and config.yaml in it.
    """
    recorded: Any = OmegaConf.select(hydra, "runtime.config_sources")
    # not resolved, because Hydra records paths as they are
    listed: Any = OmegaConf.to_container(recorded, resolve=False) if recorded else []
    sources = {source["provider"]: source["path"] for source in listed}
    values = {
        "config_dir": sources.get("command-line"),
        "config_path": sources.get("main"),
        "config_name": OmegaConf.select(hydra, "job.config_name"),
    }
    default = {"config_path": str(Path(script).absolute().parent.parent / "conf"), "config_name": "config"}
    return [
        f"--{key.replace('_', '-')}={value}"
        for key, value in values.items()
        if value and value != default.get(key) and not getattr(given, key, None)
    ]


def quote(path: Path) -> str:
    """A path quoted as a Hydra override value, with any characters in it."""
    # Hydra takes backslashes as they are, but for those before a quote
    return "'" + re.sub(r"(\\*)('|$)", lambda end: end[1] * 2 + end[2].replace("'", "\\'"), escape(str(path))) + "'"
