"""What the folders of a study and of its jobs are called, and how a study is found again."""

import re
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from vaesweep.results import IMMATERIAL, config_hash

LONGEST = 100
"""Characters of a job's name before its hash."""


def study_name(*, _root_: DictConfig) -> str:
    """The name of the study file, or `sweep` for a study that was typed."""
    return _root_.hydra.runtime.choices.get("sweeps") or "sweep"


def job_name(*, _root_: DictConfig) -> str:
    """MODEL_NETWORK_DATA_KNOB=VALUE_..._HASH; or the folder in the study that ends in the same hash.

    The hash is that of the job's configuration, so that a job has one folder however often its study is started, and
    whatever other jobs it has by then; the rest is for the reader.
    """
    name = config_hash(_root_)[:8]
    earlier = next(Path(_root_.hydra.sweep.dir).glob(f"*_{name}"), None)
    told = [override.lstrip("+~").partition("=") for override in _root_.hydra.overrides.task]
    knobs = [
        f"{key.rpartition('.')[2]}={value}" for key, _, value in told if key == "seed" or ("." in key and matters(key))
    ]
    words = re.sub(r"[^-\w.=]+", "-", "_".join([*_root_.choices.values(), *knobs]), flags=re.ASCII)
    return earlier.name if earlier else f"{words[:LONGEST]}_{name}"


def matters(key: str) -> bool:
    """Whether a setting can change the result."""
    return not any(f"{key}.".startswith(f"{name}.") for name in IMMATERIAL)


OmegaConf.register_new_resolver("study_name", study_name, replace=True)
OmegaConf.register_new_resolver("job_name", job_name, replace=True)
