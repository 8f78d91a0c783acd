"""What a model declares that it records. Without torch, which takes seconds to import and a report does not need."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Declaration:
    """What a model records. Training, records, W&B, evaluation, report and terminal read this and nothing else.

    `terms`: the unit of every term beside the distortion, by name, in the order of `Terms.penalties`.
    `rate`: the term that is a KL to the prior N(0, I), if one is; the model's posterior is then a `DiagonalGaussian`.
    `rate_weight`: the setting of the model that multiplies the rate in the loss, where the loss is distortion plus
    weight times rate and nothing else at the end of training. `rate_weight_range`: the least and the largest weight
    that the model can be set to once trained (`Autoencoder.set_rate_weight`), if it was trained for a range of them.
    `rate_target`: the rate in nats that the loss aims at.
    `conditional`: whether encoder and decoder are given the label, so that the distortion is -log p(x|z, y).
    `sparse`: whether few units of the code are meant to be active. `dimension_unit`: unit of `Autoencoder.dimensions`.
    """

    terms: Mapping[str, str] = field(default_factory=dict)
    rate: str | None = None
    rate_weight: str | None = None
    rate_target: float | None = None
    rate_weight_range: tuple[float, float] | None = None
    conditional: bool = False
    sparse: bool = False
    dimension_unit: str = "variance of the code"

    @property
    def penalties(self) -> list[str]:
        """The terms other than the rate."""
        return [name for name in self.terms if name != self.rate]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Declaration":
        """The inverse of `dataclasses.asdict`. Raises TypeError for any other record."""
        return cls(**record)
