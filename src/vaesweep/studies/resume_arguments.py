"""Resuming: builds the command line that continues an earlier run or study."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.errors import OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from vaesweep.errors import ConfigError
from vaesweep.records.results import STUDY
from vaesweep.studies.hydra_command_line import config_flags, parse, quote

OVERRIDES = Path(".hydra/overrides.yaml")
HYDRA = Path(".hydra/hydra.yaml")
RUNS = Path("runs")
ALLOWED_WITH_RESUME = (
    "trainer.",
    "trainer=",
    "logger.",
    "logger=",
    "callbacks.",
    "callbacks=",
    "test_checkpoint=",
    "test_samples=",
    "checkpoint_every_n_seconds=",
    "optimized_metric=",
    "compile=",
    "data.root=",
    "data.on_device=",
)


def expand_resume(argv: list[str]) -> list[str]:
    """`argv` with `resume` replaced by the overrides that it stands for.

    - `resume=RUN`, the folder of a run: the overrides it was run with, in RUN itself. Only settings that leave the
      trained objective as it is may be given with it: weights and knobs come from the checkpoint.
    - `resume=STUDY`, the folder of a study: its overrides, in STUDY itself. Any others may be given with it: more
      values are more jobs.
    - `-m resume=true`: the newest study that was started by the same command (see `latest_matching_study`), or else a
      new one.

    The folders of configuration are those that the run or study recorded, unless others are given. Of overrides given
    twice the later one wins. The result has `resume=true`: skip a run that is completed, or go on from the run
    folder's last checkpoint, if there is one. Raises `ConfigError` for any other folder or setting.
    """
    options, overrides = parse(argv)
    # flags first: Hydra takes overrides on one side of them only
    flags = [argument for argument in argv[1:] if argument not in overrides]
    argv = [argv[0], *flags, *overrides]
    resume = next((o.removeprefix("resume=") for o in overrides if o.startswith("resume=")), "false")
    resume = resume.lower() if resume.lower() in ("true", "false") else resume  # Hydra's sweeper writes True
    mine = [o for o in overrides if not o.startswith("resume=")]
    many = options.multirun or "hydra.mode=MULTIRUN" in mine
    if resume == "true" and many and not any(o.startswith("hydra.sweep.dir=") for o in mine):
        earlier = latest_matching_study([o for o in mine if not o.startswith("hydra")])
        print(f"going on with {earlier}" if earlier else f"no earlier study of this command in {RUNS}: a new one")
        return [*argv, f"hydra.sweep.dir={quote(earlier)}"] if earlier else argv
    if resume in ("true", "false"):
        return argv
    folder = Path(resume).expanduser().absolute()
    if (folder / STUDY).is_file():
        return [argv[0], *study_arguments(folder, argv[0], options, flags, mine)]
    if (folder / OVERRIDES).is_file():
        return [argv[0], *run_arguments(folder, argv[0], options, flags, mine)]
    raise ConfigError("resume", resume, f"the folder of an earlier run (one with {OVERRIDES} in it) or study ({STUDY})")


def study_arguments(folder: Path, script: str, options: Namespace, flags: list[str], mine: list[str]) -> list[str]:
    """The command line, without the script, that continues the study in `folder`."""
    task, hydra, record = study_overrides(folder)
    for line in values_left_out(mine, task, record):
        print(line)
    launcher = ("hydra/launcher=", "hydra.launcher.") if any(o.startswith("hydra/launcher=") for o in mine) else ()
    of_hydra = [o for o in hydra if not o.startswith(("hydra.mode=", "hydra.sweep.dir=", *launcher))]
    where = config_flags(record, script, options)
    return [
        *where,
        *flags,
        "-m",
        *not_added_again(task, mine),
        *of_hydra,
        *mine,
        "resume=true",
        f"hydra.sweep.dir={quote(folder)}",
    ]


def values_left_out(mine: list[str], task: list[str], hydra: DictConfig) -> list[str]:
    """A line for each setting that a study varies, and that is now given without values that the study has.

    Hydra records the new values alone, so that no later resumption takes up the jobs of the others.
    """
    parser = OverridesParser.create()
    params = OmegaConf.select(hydra, "sweeper.params") or {}
    varied = {}
    for override in parser.parse_overrides([*(f"{key}={value}" for key, value in params.items()), *task]):
        values = values_of(override)
        varied[override.get_key_element()] = values if len(values) > 1 else []
    try:
        given = parser.parse_overrides(mine)
    except OverrideParseException:  # Hydra says so
        return []
    lines = []
    for override in given:
        key, values = override.get_key_element(), values_of(override)
        earlier = varied.get(key, [])
        missing = ", ".join(value for value in earlier if value not in values)
        if values and missing:
            lines.append(f"{key}: the study's jobs with {missing} stay as they are, now and when it is resumed")
    return lines


def values_of(override: Override) -> list[str]:
    """The values of an override as text; none of one that deletes, or from which a search draws."""
    if not override.is_sweep_override():
        return [] if override.is_delete() else [override.get_value_element_as_str()]
    return [] if isinstance(override.value(), IntervalSweep) else list(override.sweep_string_iterator())


def run_arguments(folder: Path, script: str, options: Namespace, flags: list[str], mine: list[str]) -> list[str]:
    """The command line, without the script, that continues the run in `folder`."""
    for override in mine:
        if not f"{override.lstrip('+~')}=".startswith(("hydra.", *ALLOWED_WITH_RESUME)):
            allowed = ", ".join(dict.fromkeys(key.rstrip(".=") for key in ALLOWED_WITH_RESUME))
            raise ConfigError("resume", f"{override} with it", f"settings of {allowed}")
    dropped = ["resume="]
    if any(override.startswith("logger=") for override in mine):  # the settings of other loggers would have no place
        dropped += [f"{sign}logger{end}" for sign in ("", "+", "++", "~") for end in ("=", ".")]
    past = not_added_again([o for o in past_overrides(folder) if not o.startswith(tuple(dropped))], mine)
    record = OmegaConf.load(folder / HYDRA).hydra if (folder / HYDRA).is_file() else OmegaConf.create()
    where = [f"hydra.run.dir={quote(folder)}", "hydra.output_subdir=null"]
    return [*config_flags(record, script, options), *flags, *past, *mine, "resume=true", *where]


def not_added_again(past: list[str], mine: list[str]) -> list[str]:
    """Those of the `past` overrides that add no setting which one of `mine` adds, as Hydra adds a setting once."""
    added = {override.partition("=")[0] for override in mine if override.startswith("+")}
    return [override for override in past if override.partition("=")[0] not in added]


def past_overrides(folder: Path) -> list[str]:
    """The overrides that the run in `folder` was started with. Raises `ConfigError` where they cannot be read."""
    try:
        past: Any = OmegaConf.to_container(OmegaConf.load(folder / OVERRIDES), resolve=False)
    except (OmegaConfBaseException, YAMLError, OSError, ValueError):
        past = None
    if not isinstance(past, list):
        raise ConfigError("resume", f"{folder}, whose {OVERRIDES} cannot be read", "the folder of an earlier run")
    return [str(override) for override in past]


def study_overrides(study: Path) -> tuple[list[str], list[str], DictConfig]:
    """The overrides of the task and of Hydra that a study was last started with, and Hydra's whole section."""
    hydra = OmegaConf.load(study / STUDY).hydra
    overrides: Any = OmegaConf.to_container(hydra.overrides, resolve=False)
    return [o for o in overrides["task"] if not o.startswith("resume=")], overrides["hydra"], hydra


def latest_matching_study(command: list[str]) -> Path | None:
    """The newest study in `RUNS` that was started with the same overrides, except for swept values."""
    for record in sorted(RUNS.glob(f"*/{STUDY}"), key=lambda path: path.stat().st_mtime_ns, reverse=True):
        try:
            task, *_ = study_overrides(record.parent)
        except (OmegaConfBaseException, YAMLError, OSError) as error:
            print(f"skipped {record}: {' '.join(str(error).split())}", file=sys.stderr)
            continue
        if {without_values(o) for o in task} == {without_values(o) for o in command}:
            return record.parent.absolute()
    return None


def without_values(override: str) -> str:
    """An override without its values, if it has several."""
    parsed = OverridesParser.create().parse_override(override)
    return parsed.get_key_element() if parsed.is_sweep_override() else override
