"""The name of a run for a reader, from its settings."""

from vaesweep.records.config_hash import NOT_HASHED
from vaesweep.records.results import Results

NAME_LENGTH = 128
"""Characters of a name that W&B takes."""


def run_name(results: Results) -> str:
    """A name that says what a run is: model, data, weight of the rate, other settings that were given, seed."""
    settings = {}
    for override in results.overrides:
        key, _, value = override.lstrip("+~").partition("=")
        group, _, inner = key.replace("/", ".").partition(".")
        named_already = key in ("model", "data") or inner == "_target_" or key in NOT_HASHED
        if group in ("model", "network", "data", "optimizer") and not named_already:
            settings[key.replace("/", ".").rpartition(".")[2]] = value
    weight = results.declared.rate_weight
    if weight and results.rate_weight is not None:
        settings = {weight: f"{results.rate_weight:g}"} | {k: v for k, v in settings.items() if k != weight}
    words = [results.model, results.data, *(f"{key}={value}" for key, value in settings.items())]
    return " ".join([*words, f"seed={results.seed}"])[:NAME_LENGTH]
