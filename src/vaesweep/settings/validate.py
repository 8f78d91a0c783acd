"""Checks a composed configuration by the rules of each class, and what several settings have to agree on."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from vaesweep.errors import ConfigError
from vaesweep.settings.config_groups import options
from vaesweep.settings.mapping_rules import PART, PARTS
from vaesweep.settings.rule import Rule
from vaesweep.settings.rules_by_class import ADDED, GROUPS, RULES, TOP, Rules

HYDRA_KEYS = ("_target_", "_convert_", "_partial_", "_recursive_")
"""What Hydra reads of a part before its class does."""
CLOSED = ("vaesweep.", "lightning.pytorch.profilers.")
"""How the classes begin whose rules name every setting. A profiler that is refused one prints a traceback."""


def validate(config: DictConfig) -> None:
    """Refuse a configuration that no run could use. Raises `ConfigError`, or Hydra's for a value that is missing."""
    for key in TOP:
        # before anything is resolved, because much refers to the groups
        if TOP[key].required and key not in config:
            raise ConfigError(key, "nothing", allowed_in_group(key, TOP[key]))
    settings = resolve(config)
    for key, value, rule in walk(settings):
        if rule in (PART, PARTS) and not rule.accepts(value):
            raise ConfigError(key, value, allowed_in_group(key, rule))
        rule.check(key, value)
        if rule.in_run and value is not None:
            check_in_run(key, value, Path(settings["folder"]), rule)
    check_processes(settings["trainer"])
    check_corruption(settings["model"])
    check_time(settings)
    check_without_effect(settings["trainer"])
    check_switches(settings)
    check_data_name(settings)


def check_folder(config: DictConfig) -> None:
    """Refuse a folder of the run that is not that of its Hydra job. Raises `ConfigError`."""
    if str(config.folder) != str(HydraConfig.get().runtime.output_dir):
        allowed = "as Hydra makes it: hydra.run.dir=FOLDER for a run, hydra.sweep.dir=FOLDER for a study"
        raise ConfigError("folder", config.folder, allowed)


def resolve(config: DictConfig) -> dict[str, Any]:
    """`config` as plain dicts and lists without interpolations; what others refer to first."""
    settings: dict[str, Any] = {}
    try:
        for key in dict.fromkeys([*TOP, *map(str, config)]):
            if key in config:
                value = config[key]
                settings[key] = to_container(value) if OmegaConf.is_config(value) else value
    except MissingMandatoryValue:
        raise
    except (OmegaConfBaseException, RecursionError) as error:
        key = str(getattr(error, "full_key", None) or "configuration")
        given = f"a reference that cannot be followed ({str(error).splitlines()[0]})"
        raise ConfigError(key, given, "a value, or ${KEY} of another setting") from None
    return settings


def to_container(node: Any) -> Any:
    """Plain dicts and lists of a node, resolved."""
    return OmegaConf.to_container(node, resolve=True, throw_on_missing=True)


def walk(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any, Rule]]:
    """Every setting by its whole key, with its value and its rule; mappings before what is in them."""
    for key, value in settings.items():
        yield from walk_value(key, value, TOP.get(key, ADDED))


def walk_value(key: str, value: Any, rule: Rule) -> Iterator[tuple[str, Any, Rule]]:
    """One setting and those below it."""
    yield key, value, rule
    if PART.accepts(value):
        yield from walk_part(key, value)
    elif isinstance(value, Mapping) and rule.inner:
        for name, inner in value.items():
            yield from walk_value(f"{key}.{name}", inner, rule.inner)


def walk_part(key: str, part: Mapping[str, Any]) -> Iterator[tuple[str, Any, Rule]]:
    """The settings of a part. Raises `ConfigError` for one that its class does not have, or that is missing."""
    target = part["_target_"]
    rules: Rules = RULES.get(target, GROUPS.get(key, {}))
    for name, rule in rules.items():
        if rule.required and name not in part:
            raise ConfigError(f"{key}.{name}", "nothing", rule.allowed)
    for name, value in part.items():
        if name in HYDRA_KEYS:
            continue
        if name not in rules and target in RULES and target.startswith(CLOSED):
            raise ConfigError(f"{key}.{name}", value, f"settings of {target}: {', '.join(rules) or 'none'}")
        yield from walk_value(f"{key}.{name}", value, rules.get(str(name), ADDED))


def allowed_in_group(key: str, rule: Rule) -> str:
    """What to write where a part of the configuration is no part: the options of its group, or what the rule says."""
    group = key.replace(".", "/")
    if names := options(group):
        return f"{group}={' | '.join(names)}"
    return f"{rule.allowed}, or ~{key} to leave it out" if rule is PART else rule.allowed


def check_in_run(key: str, given: str, run: Path, rule: Rule) -> None:
    """Refuse a path outside the folder of the run, or where something else lies in the way. Creates nothing."""
    path, home = Path(given).resolve(), run.resolve()
    is_file = rule.in_run == "file"
    folders = [*path.parents] if is_file else [path, *path.parents]
    is_inside = home in folders
    is_free = is_file_or_nothing(path) if is_file else True
    if not (is_inside and is_free and all(folder.is_dir() or not os.path.lexists(folder) for folder in folders)):
        raise ConfigError(key, given, rule.allowed)


def is_file_or_nothing(path: Path) -> bool:
    """Whether a file can be written to `path`."""
    return path.is_file() or not os.path.lexists(path)


def check_processes(trainer: Mapping[str, Any]) -> None:
    """Refuse devices and nodes that one process would wait for in vain."""
    devices, nodes, is_single = trainer["devices"], trainer.get("num_nodes", 1), trainer["strategy"] == "auto"
    if is_single and devices != 1 and not (isinstance(devices, list) and len(devices) == 1):
        allowed = f"1, a list of one such as [0], or trainer=ddp trainer.devices={devices}"
        raise ConfigError("trainer.devices", devices, allowed)
    if nodes > 1 and is_single:
        raise ConfigError("trainer.num_nodes", nodes, f"1, or trainer=ddp +trainer.num_nodes={nodes}")
    if nodes > 1 and not {"SLURM_JOB_ID", "MASTER_ADDR"} & set(os.environ):
        allowed = "1, or hydra/launcher=slurm, or torchrun on every node, which sets MASTER_ADDR"
        raise ConfigError("trainer.num_nodes", f"{nodes} where no scheduler has started the others", allowed)
    if trainer["accelerator"] == "cpu" and isinstance(devices, list):
        raise ConfigError("trainer.devices", devices, "a number of processes, with trainer.accelerator=cpu")


def check_corruption(model: Mapping[str, Any]) -> None:
    """Refuse a probability above 1."""
    if model.get("corruption") in ("masking", "salt_pepper") and model["level"] > 1:
        raise ConfigError("model.level", model["level"], "a number in [0, 1], or model.corruption=gaussian")


def check_time(settings: Mapping[str, Any]) -> None:
    """Refuse a Timer with another duration than `trainer.max_time`, which Lightning would ignore."""
    limit = settings["trainer"].get("max_time")
    for name, part in settings["callbacks"].items():
        if limit and part["_target_"] == "lightning.pytorch.callbacks.Timer" and part.get("duration") != limit:
            allowed = f"{limit}, as trainer.max_time, which stands for it where it is left out"
            raise ConfigError(f"callbacks.{name}.duration", part.get("duration"), allowed)


def check_without_effect(trainer: Mapping[str, Any]) -> None:
    """Refuse settings of the trainer that others leave without effect."""
    least, most = trainer.get("min_epochs"), trainer["max_epochs"]
    if least and least > most:
        raise ConfigError("trainer.min_epochs", least, f"at most {most}, as trainer.max_epochs")
    if trainer.get("gradient_clip_algorithm") and not trainer.get("gradient_clip_val"):
        given = trainer["gradient_clip_algorithm"]
        raise ConfigError("trainer.gradient_clip_algorithm", given, "nothing without trainer.gradient_clip_val")


def check_switches(settings: Mapping[str, Any]) -> None:
    """Refuse to switch off in the trainer what a callback is there for."""
    for switch, kind in (("enable_progress_bar", "ProgressBar"), ("enable_checkpointing", "ModelCheckpoint")):
        names = [n for n, part in settings["callbacks"].items() if part["_target_"].endswith(f".{kind}")]
        if names and settings["trainer"].get(switch) is False:
            allowed = f"true, or also {' '.join(f'~callbacks.{name}' for name in names)}"
            raise ConfigError(f"trainer.{switch}", False, allowed)


def check_data_name(settings: Mapping[str, Any]) -> None:
    """Refuse one of the data sets of torchvision under the name of another, by which it would be recorded."""
    chosen, data, target = settings["choices"].get("data"), settings["data"], "vaesweep.data.TorchvisionData"
    if data["_target_"] == target and RULES[target]["name"].accepts(chosen) and (name := data["name"]) != chosen:
        raise ConfigError("data.name", name, f"{chosen}, or data={name}")
