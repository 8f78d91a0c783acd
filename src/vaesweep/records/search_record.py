"""search.json: the trials of a search, in the folder of its study."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from vaesweep.atomic_files import atomically
from vaesweep.records import json_checks as rules
from vaesweep.settings.number_rules import number
from vaesweep.settings.rule import choice

FILE = "search.json"
TRIAL = rules.every(
    rules.fields(
        {
            "settings": rules.mapping_of(rules.LINE),
            "status": choice("completed", "failed", "pruned").check,
            "values": rules.or_null(rules.list_of(number().check)),
        }
    ),
    rules.has("settings", "status", "values"),
)
FIELDS = {
    "metrics": rules.list_of(rules.LINE),
    "trials": rules.list_of(TRIAL),
    "importances": rules.mapping_of(rules.mapping_of(number(0).check)),
}
"""The check of each field."""


@dataclass
class SearchRecord:
    """What was searched for and found.

    `metrics` are those that are minimised, one or two. Each of `trials`, in the order in which they ended, has its
    `settings`, as overrides have them, its `status`, completed, failed or pruned, and its `values` of the metrics, or
    None where it has not completed. `importances` are the shares of the variance of each metric that each setting
    explains.
    """

    metrics: Sequence[str]
    trials: Sequence[Mapping[str, Any]] = field(default_factory=list)
    importances: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The record in `folder`. Raises FileNotFoundError, or ValueError in a line that names file and field."""
        content = rules.read_json(folder / FILE)
        values = {f.name: content[f.name] for f in fields(cls) if f.name in content}
        rules.every(rules.has("metrics"), rules.fields(FIELDS))(f"{FILE}:", values)
        record = cls(**values)
        for trial in record.trials:
            if (trial["status"] == "completed") != (trial["values"] is not None):
                what = "without" if trial["values"] is None else "with"
                raise ValueError(f"{FILE}: a {trial['status']} trial {what} values")
            if trial["values"] is not None and len(trial["values"]) != len(record.metrics):
                raise ValueError(f"{FILE}: a trial with {len(trial['values'])} values of {len(record.metrics)} metrics")
        return record

    def write(self, folder: Path) -> None:
        """Write `folder`/search.json, whole or not at all."""
        text = json.dumps(asdict(self), indent=2, allow_nan=False)
        with atomically(folder / FILE) as path:
            path.write_text(text + "\n")

    def count(self, status: str) -> int:
        """The number of trials with a status."""
        return sum(trial["status"] == status for trial in self.trials)

    def not_completed(self) -> list[str]:
        """How many trials failed and were pruned, in words; nothing of what there is none of."""
        return [f"{count} {status}" for status in ("failed", "pruned") if (count := self.count(status))]

    def front(self) -> list[Mapping[str, Any]]:
        """The completed trials that no other one beats in one metric without losing in another, each setting once."""
        by_settings = {json.dumps(trial["settings"]): trial for trial in self.trials if trial["values"] is not None}
        completed = list(by_settings.values())
        front = [one for one in completed if not any(dominates(other["values"], one["values"]) for other in completed)]
        return sorted(front, key=lambda trial: trial["values"])

    def text(self, trial: Mapping[str, Any]) -> str:
        """The values of a completed trial with its settings."""
        values = ", ".join(f"{name} {value:.4g}" for name, value in zip(self.metrics, trial["values"], strict=True))
        settings = " ".join(f"{key}={value}" for key, value in trial["settings"].items())
        return f"{values} ({settings})" if settings else values

    def front_text(self) -> str:
        """The number of trials, and a line for each of the best."""
        lines = [f"{len(self.trials)} trials; the {'front' if len(self.metrics) > 1 else 'best'}:"]
        return "\n".join([*lines, *(f"  {self.text(trial)}" for trial in self.front())])


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether `a` is nowhere above `b` and somewhere below it."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and list(a) != list(b)
