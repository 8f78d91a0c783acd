"""evaluation.json: the measures of a run."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from vaesweep.files import atomically
from vaesweep.records.results import versions

FILE, FIGURES = "evaluation.json", "evaluation"


@dataclass
class EvaluationRecord:
    """The measures of one run, with the weights of `checkpoint`, by name.

    Each has its `settings`, its `values` with their units, its `series`, why what is `absent` is so, the names of its
    `figures`, and its `seconds`.
    """

    config_hash: str
    checkpoint: str
    seed: int
    measures: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=versions)

    @classmethod
    def load_or_none(cls, folder: Path) -> Self | None:
        """The record in `folder`, or None where there is none that can be read."""
        try:
            kept = cls(**json.loads((folder / FILE).read_text()))
            whole = all({"settings", "values", "series", "absent", "figures"} <= set(m) for m in kept.measures.values())
        except (OSError, ValueError, TypeError, AttributeError):
            return None
        return kept if whole else None

    @classmethod
    def load_or_new(cls, folder: Path, config_hash: str, checkpoint: str, seed: int) -> Self:
        """The record in `folder`, to be added to; a new one where that is of other weights or draws.

        The figures of what is given up go with it.
        """
        new, earlier = cls(config_hash, checkpoint, seed), cls.load_or_none(folder)
        if earlier and all(getattr(earlier, key) == getattr(new, key) for key in ("config_hash", "checkpoint", "seed")):
            new.measures = earlier.measures
        elif earlier:
            for path in earlier.figures(folder):
                path.unlink(missing_ok=True)
        return new

    def figures(self, folder: Path) -> list[Path]:
        """The files of all figures of the run in `folder`."""
        return [folder / FIGURES / name for found in self.measures.values() for name in found["figures"]]

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
