"""The interface of a measure, and its result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from matplotlib.figure import Figure

from vaesweep.evaluation.context import EvalContext


class Value(NamedTuple):
    """A number with its unit."""

    value: float
    unit: str


@dataclass
class MeasureResult:
    """Numbers, series and figures by name, with `remarks` on how far they can be trusted.

    `absent` says of a number, or of the whole measure, why it does not apply.

    A series has a value per noise level, latent dimension, ...; several figures of one name are the frames of a film.
    """

    values: dict[str, Value] = field(default_factory=dict)
    series: dict[str, list[float]] = field(default_factory=dict)
    figures: Mapping[str, Figure | list[Figure]] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


class NotApplicable(Exception):
    """The measure does not apply to this model on these data; the text is the reason."""


class Measure(Protocol):
    """A measure with its settings."""

    def __call__(self, context: EvalContext) -> MeasureResult:
        """Measure `context`. Raises `NotApplicable`."""
