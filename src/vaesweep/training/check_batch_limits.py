"""Refuses limits and intervals of batches that come to no batch at all."""

from collections.abc import Mapping
from typing import Any

from vaesweep.errors import ConfigError
from vaesweep.settings.rule import is_int


def check_shares(trainer: Mapping[str, Any], batches: Mapping[str, int]) -> None:
    """Refuse a share of a split's `batches` that is less than one of them, or an interval of more than all.

    Raises `ConfigError`.
    """
    shares = {f"limit_{split}_batches": count for split, count in batches.items()}
    # Lightning overfits a share of the validation as well
    fewest = {"overfit_batches": min(batches["train"], batches["val"]), "val_check_interval": batches["train"]}
    for key, count in {**shares, **fewest}.items():
        share = trainer.get(key)
        if isinstance(share, float) and 0 < share < 1 and int(share * count) == 0:
            allowed = f"a number of batches, or a share of at least 1/{count}"
            raise ConfigError(f"trainer.{key}", share, allowed)
    interval: Any = trainer.get("val_check_interval")
    limit: Any = trainer.get("limit_train_batches") or 1.0
    count = min(limit, batches["train"]) if is_int(limit) else int(limit * batches["train"])
    if is_int(interval) and interval > count and trainer.get("check_val_every_n_epoch", 1) is not None:
        raise ConfigError("trainer.val_check_interval", interval, f"a number of batches up to {count}, or a share")
