"""How a command line goes on with what an earlier one began: a run, or a study."""

import sys
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from vaesweep.checks import Invalid

OVERRIDES = Path(".hydra/overrides.yaml")
STUDY = "multirun.yaml"
"""What Hydra leaves in the folder of a study: its configuration, and the overrides it was started with."""
RUNS = Path("runs")
FLAGS = ("--config-dir", "--config-name", "--config-path", "-cd", "-cn", "-cp")
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


def resumed(argv: list[str]) -> list[str]:
    """`argv` with what `resume` stands for.

    - `resume=RUN`, the folder of a run: the overrides it was run with, in RUN itself. Only settings that leave the
      trained objective as it is may be given with it: weights and knobs come from the checkpoint.
    - `resume=STUDY`, the folder of a study: its overrides, in STUDY itself. Any others may be given with it: more
      values are more jobs.
    - `-m resume=true`: the newest study that was started by the same command (see `latest`), or else a new one.

    Of overrides given twice the later one wins. What remains is `resume=true`: skip a run that is completed, or go on
    from the run folder's last checkpoint, if there is one. Raises `Invalid` for a folder or a setting that is neither.
    """
    given = next((a.removeprefix("resume=") for a in argv[1:] if a.startswith("resume=")), "false")
    given = given.lower() if given.lower() in ("true", "false") else given  # Hydra's sweeper writes True
    mine = [a for a in argv[1:] if not a.startswith("resume=")]
    many = any(a in ("-m", "--multirun", "hydra.mode=MULTIRUN") for a in mine)
    if given == "true" and many and not any(a.startswith("hydra.sweep.dir=") for a in mine):
        earlier = latest([a for a in mine if not a.startswith(("-", "hydra")) and a not in flags(mine)])
        print(f"going on with {earlier}" if earlier else f"no earlier study of this command in {RUNS}: a new one")
        return [*argv, f"hydra.sweep.dir={quoted(earlier)}"] if earlier else argv
    if given in ("true", "false"):
        return argv
    folder = Path(given).expanduser().absolute()
    if (folder / STUDY).is_file():
        task, hydra = started(folder)
        launcher = ("hydra/launcher=", "hydra.launcher.") if any(a.startswith("hydra/launcher=") for a in mine) else ()
        kept = [o for o in hydra if not o.startswith(("hydra.mode=", "hydra.sweep.dir=", *launcher))]
        return [argv[0], "-m", *task, *kept, *mine, "resume=true", f"hydra.sweep.dir={quoted(folder)}"]
    if not (folder / OVERRIDES).is_file():
        raise Invalid("resume", given, f"the folder of an earlier run (one with {OVERRIDES} in it) or study ({STUDY})")
    recorded = OmegaConf.to_object(OmegaConf.load(folder / OVERRIDES))
    assert isinstance(recorded, list)
    past = [str(r) for r in recorded if not str(r).startswith("resume=")]
    for override in mine:
        if not override.startswith(("-", "hydra.", *RESUMABLE)):
            allowed = ", ".join(dict.fromkeys(key.rstrip(".=") for key in RESUMABLE))
            raise Invalid("resume", f"{override} with it", f"settings of {allowed}")
    where = [f"hydra.run.dir={quoted(folder)}", "hydra.output_subdir=null"]
    return [argv[0], *past, *mine, "resume=true", *where]


def started(study: Path) -> tuple[list[str], list[str]]:
    """The overrides of the task and of Hydra that a study was last started with."""
    kept: Any = OmegaConf.to_container(OmegaConf.load(study / STUDY).hydra.overrides, resolve=False)
    return [o for o in kept["task"] if not o.startswith("resume=")], kept["hydra"]


def latest(command: list[str]) -> Path | None:
    """The newest study in `RUNS` that was started with the same overrides, swept values aside."""
    for record in sorted(RUNS.glob(f"*/{STUDY}"), key=lambda path: path.stat().st_mtime_ns, reverse=True):
        try:
            task, _ = started(record.parent)
        except (OmegaConfBaseException, YAMLError, OSError) as error:
            print(f"skipped {record}: {' '.join(str(error).split())}", file=sys.stderr)
            continue
        if {swept(o) for o in task} == {swept(o) for o in command}:
            return record.parent.absolute()
    return None


def flags(arguments: list[str]) -> list[str]:
    """Hydra's flags that say where the configuration is, with their values."""
    kept = []
    for flag, value in zip(arguments, [*arguments[1:], ""], strict=True):
        if flag in FLAGS:
            kept += [flag, value]
        elif flag.partition("=")[0] in FLAGS:
            kept.append(flag)
    return kept


def swept(override: str) -> str:
    """An override without its values, where it has several."""
    parsed = OverridesParser.create().parse_override(override)
    return parsed.get_key_element() if parsed.is_sweep_override() else override


def quoted(path: Path) -> str:
    """A path as a Hydra override value, whatever characters it holds."""
    return "'" + str(path).replace("\\", "\\\\").replace("'", "\\'") + "'"
