"""Which runs may be compared: those that describe the same data, under one likelihood."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from vaesweep.report.read_run import Run, finite

COMPARABLE = ("data", "scored", "likelihood", "conditional", "wide")
"""Columns that are equal for runs that compare: they describe the same data, under one likelihood, with or without
the label, and none or all of them by a sparse code that is wider than every other model's."""
NOT_SCORED = ("data._target_", "data.batch_size", "data.val_fraction", "data.seed")
"""Settings of the data that change what is trained on, or its draw, but not what is described."""


def widest_dense_code(runs: Sequence[Run], configs: Sequence[dict[str, Any]]) -> float:
    """The most latent dimensions of a model whose code is not sparse; infinite where there is none.

    A run that failed before there was a model declares nothing, and does not count.
    """
    results = [run.results for run in runs]
    widths = [
        finite(config.get("model.latent_dim", 0))
        for result, config in zip(results, configs, strict=True)
        if result.declaration and not result.declared.sparse
    ]
    return max((width for width in widths if not np.isnan(width)), default=np.inf)


def scored_data(config: dict[str, Any]) -> str:
    """The settings of a run's data that change what is scored, as text."""
    return " ".join(
        f"{key.removeprefix('data.')}={value}"
        for key, value in sorted(config.items())
        if key.startswith("data.") and key not in NOT_SCORED
    )
