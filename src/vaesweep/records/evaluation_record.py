"""evaluation.json: the measures of a run."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from vaesweep.atomic_files import atomically
from vaesweep.records import json_checks as rules
from vaesweep.records.results import versions
from vaesweep.settings.number_rules import number
from vaesweep.settings.rule import Rule

FILE, FIGURES = "evaluation.json", "evaluation"

FILE_NAME = Rule(
    # a name with a folder could have another file removed
    lambda given: isinstance(given, str) and Path(given).name == given, "the name of a file",
).check  # fmt: skip
VALUE = rules.every(rules.fields({"value": number().check, "unit": rules.TEXT}), rules.has("value", "unit"))
ENTRY = {
    "settings": rules.MAPPING, "values": rules.mapping_of(VALUE),
    "series": rules.mapping_of(rules.list_of(rules.or_null(number().check))),
    "remarks": rules.mapping_of(rules.TEXT), "absent": rules.mapping_of(rules.TEXT),
    "figures": rules.list_of(FILE_NAME), "seconds": rules.DURATION,
}  # fmt: skip
"""The check of each field of a measure."""
MEASURE = rules.every(rules.fields(ENTRY), rules.has("settings", "values", "series", "remarks", "figures"))
FIELDS = {
    "config_hash": rules.LINE, "checkpoint": rules.LINE, "seed": rules.SEED,
    "beta": rules.or_null(number(0).check), "measures": rules.mapping_of(MEASURE),
    "versions": rules.mapping_of(rules.TEXT),
}  # fmt: skip
"""The check of each field of a record."""
NEEDED = rules.has("config_hash", "checkpoint", "seed")


@dataclass
class EvaluationRecord:
    """The measures of one run, with the weights of `checkpoint`, by name.

    Each has its `settings`, its `values` with their units, its `series`, `remarks` on how far they can be trusted,
    the reasons why what is `absent` does not apply, the names of its `figures`, and its `seconds`.
    """

    config_hash: str
    checkpoint: str
    seed: int
    beta: float | None = None
    """The weight of the rate that the model was set to; None for the run's own."""
    measures: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=versions)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The record in `folder`. Raises FileNotFoundError, or ValueError in a line that names file and field."""
        record = rules.read_json(folder / FILE)
        values = {f.name: record[f.name] for f in fields(cls) if f.name in record}
        rules.every(NEEDED, rules.fields(FIELDS))(f"{FILE}:", values)
        return cls(**values)

    @classmethod
    def load_or_none(cls, folder: Path) -> Self | None:
        """The record in `folder`, or None where there is none that can be read."""
        try:
            return cls.read(folder)
        except (OSError, ValueError):
            return None

    @classmethod
    def load_or_new(cls, folder: Path, config_hash: str, checkpoint: str, seed: int, beta: float | None = None) -> Self:
        """The record in `folder`, to be added to; a new one where that is of other weights, draws or another beta.

        The figures of what is given up go with it.
        """
        new, earlier = cls(config_hash, checkpoint, seed, beta), cls.load_or_none(folder)
        if earlier and replace(earlier, measures={}, versions=new.versions) == new:
            new.measures = earlier.measures
        elif earlier:
            for path in earlier.figures(folder):
                path.unlink(missing_ok=True)
        return new

    def figures(self, folder: Path) -> list[Path]:
        """The files of all figures of the run in `folder`."""
        return [folder / FIGURES / name for entry in self.measures.values() for name in entry["figures"]]

    def add(self, name: str, entry: dict[str, Any], order: Sequence[str]) -> None:
        """Put in one measure; all are kept in `order`."""
        self.measures[name] = entry
        self.measures = {name: self.measures[name] for name in order if name in self.measures}

    def flat(self) -> dict[str, float]:
        """Every value, as MEASURE/NAME."""
        return {
            f"{measure}/{name}": value["value"]
            for measure, entry in self.measures.items()
            for name, value in entry["values"].items()
        }

    def write(self, folder: Path) -> None:
        """Write `folder`/evaluation.json, whole or not at all."""
        text = json.dumps(asdict(self), indent=2, allow_nan=False)
        with atomically(folder / FILE) as path:
            path.write_text(text + "\n")
