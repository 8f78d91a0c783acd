"""results.json: the record of a run."""

import json
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from omegaconf import DictConfig

from vaesweep import __version__
from vaesweep.atomic_files import atomically
from vaesweep.errors import ConfigError
from vaesweep.model_declaration import Declaration
from vaesweep.records import json_checks as rules
from vaesweep.records.config_hash import config_hash, hashed_config
from vaesweep.records.flat_config import flat
from vaesweep.settings.rule import choice

FILE = "results.json"
STUDY = "multirun.yaml"
"""What Hydra leaves in the folder of a study: its configuration, and the overrides it was started with."""
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
"""Text that stands in results.json for the numbers that JSON does not have."""
TEXTS = ("model", "data", "overrides", "config_hash", "status", "reason", "data_root", "data_digest", "versions")
"""Fields of a record that hold text."""


def check_config(key: str, given: Any) -> None:
    """Raises `ConfigError` unless `given` is the configuration of a run, or a part of it."""
    rules.MAPPING(key, given)
    for name, value in given.items():
        if name == "_target_":
            rules.LINE(rules.name_in(key, name), value)
        elif isinstance(value, dict):
            check_config(rules.name_in(key, name), value)


def component_name(config: DictConfig, group: str, overrides: Sequence[str]) -> str:
    """What the model or data of a run are called: the file's name in the group, or the class given instead of its."""
    if any(override.lstrip("+").startswith(f"{group}._target_=") for override in overrides):
        return str(config[group]["_target_"]).rpartition(".")[2]
    return str(config.choices[group])


def check_rate(key: str, given: Any) -> None:
    """Raises `ConfigError` unless the rate of a declaration is one of its terms."""
    if given.get("rate") is not None and given["rate"] not in given.get("terms", {}):
        raise ConfigError(f"{key}.rate", given["rate"], "one of the terms")


PARTS = dict.fromkeys(("model", "data"), rules.MAPPING) | {"choices": rules.mapping_of(rules.or_null(rules.LINE))}
DECLARATION = {
    "terms": rules.mapping_of(rules.TEXT), "rate": rules.or_null(rules.TEXT),
    "rate_weight": rules.or_null(rules.TEXT), "rate_target": rules.or_null(rules.NUMBER),
    "rate_weight_range": rules.or_null(rules.list_of(rules.NUMBER)),
    "conditional": rules.BOOL, "sparse": rules.BOOL, "dimension_unit": rules.TEXT,
}  # fmt: skip
"""The checks of the fields of `Declaration`."""
FIELDS = {
    "model": rules.LINE, "data": rules.LINE, "seed": rules.SEED, "overrides": rules.list_of(rules.TEXT),
    "config_hash": rules.LINE, "config": rules.every(check_config, rules.fields(PARTS)),
    "status": choice("completed", "failed", "interrupted").check, "reason": rules.or_null(rules.TEXT),
    "metrics": rules.mapping_of(rules.NUMBER), "errors": rules.mapping_of(rules.NUMBER),
    "dimensions": rules.list_of(rules.NUMBER),
    "seconds": rules.DURATION, "seconds_per_epoch": rules.DURATION, "epochs": rules.COUNT, "parameters": rules.COUNT,
    "declaration": rules.every(rules.fields(DECLARATION, closed=True), check_rate),
    "rate_weight": rules.or_null(rules.NUMBER), "data_root": rules.or_null(rules.TEXT),
    "data_digest": rules.or_null(rules.LINE),
    "trained_together": rules.COUNT, "device": rules.or_null(rules.LINE), "versions": rules.mapping_of(rules.TEXT),
}  # fmt: skip
"""The check of each field of a record."""
NEEDED = rules.has("model", "data", "seed", "overrides", "config_hash", "config", "metrics")


@dataclass
class Results:
    """One run. `metrics` are val/* and test/* (nats per image, mse per pixel); times are in seconds of training.

    `config` is what decides them, `config_hash` its name. `declaration` is that of the model: its terms with their
    units, and which is a rate; {} where the run failed before there was a model. `dimensions` says what each latent
    dimension carries, in the unit declared.
    """

    model: str
    data: str
    seed: int
    overrides: list[str]
    config_hash: str
    config: dict[str, Any]
    status: str = "failed"
    reason: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    """Standard errors over the images of the split, of the metrics that are means over them."""
    dimensions: list[float] = field(default_factory=list)
    seconds: float = 0.0
    seconds_per_epoch: float = 0.0
    epochs: int = 0
    parameters: int = 0
    declaration: dict[str, Any] = field(default_factory=dict)
    rate_weight: float | None = None
    """The value of the setting that the model declares as `Declaration.rate_weight`; vae declares beta = 1."""
    data_root: str | None = None
    """Where the data lay, for data that lie in a folder."""
    data_digest: str | None = None
    """A name for the test images, by which others are told from them."""
    trained_together: int = 1
    """Runs that were trained at once with it, itself included; the seconds are this one's share."""
    device: str | None = None
    """What it was trained on, such as cpu, or the name of a GPU after the number of them."""
    versions: dict[str, str] = field(default_factory=lambda: versions())

    @classmethod
    def from_config(cls, config: DictConfig, overrides: Sequence[str]) -> Self:
        """The record of a run that is yet to come, from its configuration and the overrides that made it."""
        task_overrides = [o for o in overrides if not o.startswith("resume=")]
        hashed = hashed_config(config)
        model, data = (component_name(config, part, task_overrides) for part in ("model", "data"))
        lies_in = config.data.get("root") or config.data.get("path")
        # a setting of another type is refused later, and recorded
        root = str(Path(lies_in).expanduser().absolute()) if isinstance(lies_in, str) and lies_in else None
        return cls(model, data, config.seed, task_overrides, config_hash(config), hashed, data_root=root)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The record in `folder`. Raises FileNotFoundError, or ValueError in a line that names file and field."""
        record = rules.read_json(folder / FILE)
        values = {f.name: record[f.name] for f in fields(cls) if f.name in record}
        values = {
            name: value if name in TEXTS else map_leaves(parse_non_finite, value) for name, value in values.items()
        }
        rules.every(NEEDED, rules.fields(FIELDS))(f"{FILE}:", values)
        return cls(**values)

    @classmethod
    def load_or_none(cls, folder: Path) -> Self | None:
        """The record in `folder`, or None where there is none that can be read."""
        try:
            return cls.read(folder)
        except (OSError, ValueError):
            return None

    @property
    def declared(self) -> Declaration:
        """What the model declares that it records."""
        return Declaration.from_record(self.declaration)

    @property
    def has_collapsed(self) -> bool:
        """Whether a tested model with a rate uses none of its latent dimensions."""
        return self.declared.rate is not None and self.metrics.get("test/active_units") == 0

    def optimized_metric(self, config: DictConfig) -> float | list[float]:
        """What a search is told of a completed run, a number or several; NaN for a metric that it does not have."""
        values = [self.metrics.get(name, math.nan) for name in optimized_metrics(config)]
        return values if len(values) > 1 else values[0]

    def not_finite(self) -> dict[str, float]:
        """Settings, metrics and other numbers that are not finite, such as `metrics.test/mse`."""
        numbers = flat({**asdict(self), "dimensions": dict(enumerate(self.dimensions))})
        return {name: x for name, x in numbers.items() if isinstance(x, float) and not math.isfinite(x)}

    def write(self, folder: Path) -> None:
        """Write `folder`/results.json, whole or not at all; a number that is not finite is written as text."""
        text = json.dumps(map_leaves(non_finite_as_text, asdict(self)), indent=2, allow_nan=False, default=str)
        with atomically(folder / FILE) as path:
            path.write_text(text + "\n")


def optimized_metrics(config: DictConfig) -> list[str]:
    """The names of the metrics that a search minimises, one or two."""
    names = config.optimized_metric
    return [names] if isinstance(names, str) else list(names)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    packages = ("torch", "torchvision", "lightning", "torchmetrics", "hydra-core", "wandb")
    return {"python": platform.python_version(), "vaesweep": __version__} | {name: version(name) for name in packages}


def map_leaves(change: Callable[[Any], Any], value: Any) -> Any:
    """`value` with `change` made to whatever its mappings and lists hold in the end."""
    if isinstance(value, Mapping):
        return {key: map_leaves(change, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [map_leaves(change, inner) for inner in value]
    return change(value)


def non_finite_as_text(value: Any) -> Any:
    """The text that stands for a number that is not finite; anything else as it is."""
    return str(float(value)) if isinstance(value, float) and not math.isfinite(value) else value


def parse_non_finite(value: Any) -> Any:
    """The inverse of `non_finite_as_text`."""
    return NOT_FINITE.get(value, value) if isinstance(value, str) else value
