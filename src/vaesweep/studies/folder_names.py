"""Names of the folders of a study and of its jobs."""

import re
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from vaesweep.records.config_hash import NOT_HASHED, config_hash
from vaesweep.settings.literal_folders import take_folders_literally

MAX_NAME_LENGTH = 100
"""Characters of a job's name before its hash."""


def study_name(*, _root_: DictConfig) -> str:
    """The name of the study file, or `sweep` for a study without a file."""
    return _root_.hydra.runtime.choices.get("sweeps") or "sweep"


def job_name(*, _root_: DictConfig) -> str:
    """A job's folder MODEL_NETWORK_DATA_KNOB=VALUE_..._HASH, with the whole name of a knob where its last part is that
    of another one too, or the one in the study that ends in the same hash.

    The hash is that of the job's configuration, so that a job keeps its folder when its study is started again, with
    other jobs too; the rest is for the reader.
    """
    name = config_hash(_root_)[:8]
    earlier = next(Path(_root_.hydra.sweep.dir).glob(f"*_{name}"), None)
    settings = [override.lstrip("+~").partition("=") for override in _root_.hydra.overrides.task]
    knobs = [(key, value) for key, _, value in settings if key == "seed" or ("." in key and affects_result(key))]
    last_parts = [key.rpartition(".")[2] for key, _ in knobs]
    named = [
        f"{key if last_parts.count(last) > 1 else last}={value}"
        for (key, value), last in zip(knobs, last_parts, strict=True)
    ]
    words = re.sub(r"[^-+\w.=]+", "-", "_".join([*_root_.choices.values(), *named]), flags=re.ASCII)
    return earlier.name if earlier else f"{words[:MAX_NAME_LENGTH]}_{name}"


def affects_result(key: str) -> bool:
    """Whether a setting can change the result."""
    return not any(f"{key}.".startswith(f"{name}.") for name in NOT_HASHED)


def register_resolvers() -> None:
    """Make `${study_name:}` and `${job_name:}` known to OmegaConf, and have it leave the names of folders alone."""
    take_folders_literally()
    OmegaConf.register_new_resolver("study_name", study_name, replace=True)
    OmegaConf.register_new_resolver("job_name", job_name, replace=True)
