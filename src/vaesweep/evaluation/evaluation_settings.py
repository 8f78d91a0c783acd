"""What the settings `run` and `measures` of an evaluation choose."""

from pathlib import Path

from omegaconf import DictConfig, ListConfig

from vaesweep.errors import ConfigError
from vaesweep.settings.check_arguments import check_choice


def parse_folders(value: str | ListConfig) -> list[Path]:
    """The folders that `run` names, each once. Raises `ConfigError` if it names none."""
    names = [str(name) for name in ([value] if isinstance(value, str) else value) if str(name).strip()]
    if not names:
        raise ConfigError("run", "nothing", "folders of completed runs, or of studies")
    return list(dict.fromkeys(map(Path, names)))


def chosen_measures(config: DictConfig) -> list[str]:
    """The names in `measures`, in the order of the configuration. Raises `ConfigError`."""
    names = measure_names(config)
    selection = names if config.measures is None else config.measures
    selection = [selection] if isinstance(selection, str) else list(selection)
    for name in selection:
        check_choice("measures", name, names)
    if not selection:
        raise ConfigError("measures", "none", f"a list of {', '.join(names)}")
    return [name for name in names if name in selection]


def measure_names(config: DictConfig) -> list[str]:
    """The names of all measures, in the order of the configuration."""
    return [str(key) for key in config if isinstance(config[key], DictConfig) and "_target_" in config[key]]
