"""What a measure says of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from matplotlib.figure import Figure

from vaesweep.evaluation.subject import Subject


class Value(NamedTuple):
    """A number with its unit."""

    value: float
    unit: str


@dataclass
class Outcome:
    """Numbers by name; `series` of them (a value a noise level, a latent dimension, ...); figures, of which several
    under one name are the frames of a film; and, for what does not apply, the reason."""

    values: dict[str, Value] = field(default_factory=dict)
    series: dict[str, list[float]] = field(default_factory=dict)
    figures: Mapping[str, Figure | list[Figure]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


class Inapplicable(Exception):
    """The measure says nothing about this member on these data; its text is why."""


class Measure(Protocol):
    """A measure with its settings."""

    def __call__(self, subject: Subject) -> Outcome:
        """Measure `subject`. Raises `Inapplicable`."""
