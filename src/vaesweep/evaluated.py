"""evaluation.json: what a run was measured to be."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from vaesweep.files import atomically
from vaesweep.results import versions

FILE, FIGURES = "evaluation.json", "evaluation"


@dataclass
class Evaluation:
    """The measures of one run, with the weights of `checkpoint`, by name.

    Each has its `settings`, its `values` with their units, its `series`, why what is `absent` is so, and its `seconds`.
    """

    config_hash: str
    checkpoint: str
    seed: int
    measures: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=versions)

    @classmethod
    def found(cls, folder: Path) -> Self | None:
        """The record in `folder`, or None where there is none that can be read."""
        try:
            return cls(**json.loads((folder / FILE).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def goes_on(self, earlier: Self | None) -> Self:
        """This record with the measures of an `earlier` one of the same weights and draws."""
        same = earlier and (earlier.config_hash, earlier.checkpoint, earlier.seed) == (
            self.config_hash,
            self.checkpoint,
            self.seed,
        )
        if earlier and same:
            self.measures = earlier.measures | self.measures
        return self

    def add(self, name: str, found: dict[str, Any], order: Sequence[str]) -> None:
        """Put in one measure; all are kept in `order`."""
        self.measures[name] = found
        self.measures = {name: self.measures[name] for name in order if name in self.measures}

    def flat(self) -> dict[str, float]:
        """Every value, as MEASURE/NAME."""
        return {
            f"{measure}/{name}": value["value"]
            for measure, found in self.measures.items()
            for name, value in found["values"].items()
        }

    def write(self, folder: Path) -> None:
        """Write `folder`/evaluation.json, whole or not at all."""
        text = json.dumps(asdict(self), indent=2, allow_nan=False)
        with atomically(folder / FILE) as path:
            path.write_text(text + "\n")
