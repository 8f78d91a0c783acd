"""`hydra/sweeper=grids`: the jobs of several grids, one after the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from vaesweep.errors import ConfigError


@dataclass
class GridsConf:
    """Settings of the sweeper: `params` of all jobs, and those of each grid by its name."""

    _target_: str = "hydra_plugins.vaesweep_grids.sweeper.GridsSweeper"
    max_batch_size: int | None = None
    params: dict[str, str] | None = None
    grids: dict[str, dict[str, Any]] = field(default_factory=dict)


ConfigStore.instance().store(group="hydra/sweeper", name="grids", node=GridsConf, provider="vaesweep")


class GridsSweeper(BasicSweeper):
    """Hydra's own sweeper, over each of `grids` in turn. What the command line says goes for all of them."""

    def __init__(
        self, grids: Mapping[str, Mapping[str, Any]], max_batch_size: int | None, params: dict[str, str] | None = None
    ) -> None:
        super().__init__(max_batch_size, params)
        self.grids = grids

    # that of Hydra is static; it is called as here
    def split_arguments(  # type: ignore[override]
        self, overrides: list[Override], max_batch_size: int | None
    ) -> list[list[list[str]]]:
        """The overrides of each job, in batches; a key of a grid that is also in `overrides` has the latter's value.

        Raises `ConfigError` where there is no grid.
        """
        assert self.hydra_context is not None
        if not self.grids:
            raise ConfigError(
                "hydra.sweeper.grids", "none", "values by key for each grid, as in sweeps/whole_curve.yaml"
            )
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        jobs: list[list[str]] = []
        for grid in self.grids.values():
            own = parser.parse_overrides([f"{key}={value}" for key, value in grid.items()])
            jobs += BasicSweeper.split_arguments([*own, *overrides], None)[0]
        return list(BasicSweeper.split_overrides_to_chunks(jobs, max_batch_size))
