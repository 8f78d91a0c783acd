"""What is known of one member while it trains, alone or in a stack, and what is recorded of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning.pytorch.loggers import Logger
from torch import Tensor

from vaesweep.checks import Diverged, Invalid
from vaesweep.family import Autoencoder
from vaesweep.metrics import active_units
from vaesweep.optimizers import Adam
from vaesweep.terms import Terms


@dataclass(eq=False)
class Account:
    """One member's settings, and its books: means of the training terms, metrics, and what became of it.

    `settings` go into every checkpoint; one with other settings is refused with `Invalid`.
    """

    member: Autoencoder
    optimizer: Adam
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    loggers: Sequence[Logger] = ()
    metrics: dict[str, Tensor] = field(default_factory=dict)
    """The latest validation and test metrics."""
    dimensions: list[float] = field(default_factory=list)
    failure: Exception | None = None
    """Why it is left out from here on: it diverged, or what is its own could not be drawn or written."""
    epochs: int | None = None
    """Those that it lasted, where it is left out."""
    epoch: dict[str, Any] = field(default_factory=lambda: {"number": -1})

    def enter(self, rows: Tensor, steps: Sequence[int], epoch: int, now: int) -> Tensor:
        """Add the training terms [n, 3] of some `steps`, log their means at step `now`, return the mean loss.

        Raises `Diverged` for the first that is not finite.
        """
        finite = rows.isfinite()
        if not finite.all():
            row, term = (~finite).nonzero()[0].tolist()
            raise self.diverged(Terms._fields[term], rows[row, term].item(), f"training step {steps[row]}")
        if self.epoch["number"] != epoch:
            self.epoch = {"number": epoch, "steps": 0, "sum": 0.0}
        # in float64, so that they are the same however the steps of an epoch were divided
        self.epoch["sum"] += rows.double().sum(0)
        self.epoch["steps"] += len(rows)
        means = Terms(*rows.mean(0))
        self.log(self.named(means, "train"), now)
        return means.loss

    def trained(self) -> dict[str, float]:
        """The mean training terms of the latest epoch, by name."""
        terms = Terms(*(self.epoch["sum"] / self.epoch["steps"]))
        return {name: value.item() for name, value in self.named(terms, "train").items()}

    def conclude(self, stage: str, values: Tensor, variance: Tensor, now: int) -> dict[str, Tensor]:
        """Metrics of a whole split, from its means `values` (distortion, mse, what the penalty is a function of) and
        each code's `variance`. Raises `Diverged` when not finite."""
        distortion, mse, *means = values
        penalty, weighted = self.member.penalty(torch.stack([distortion, *means])[1:])
        terms = Terms(distortion, penalty, distortion + weighted)
        for term, value in zip(Terms._fields, terms, strict=True):
            if not value.isfinite():
                raise self.diverged(term, value.item(), f"{stage} after step {now}")
        has_rate = self.member.penalty_name == "kl"
        active = active_units(variance, 1.0 if has_rate else variance.max())
        self.dimensions = (torch.stack(means) if has_rate else variance).tolist()
        named = self.named(terms, stage) | {f"{stage}/mse": mse, f"{stage}/active_units": active}
        own = {name: value.float() for name, value in named.items()}
        self.metrics |= own
        return own

    def log(self, named: Mapping[str, Tensor], now: int) -> None:
        """To this member's loggers, at step `now`."""
        values = {name: value.item() for name, value in named.items()} if self.loggers else {}
        for logger in self.loggers:
            logger.log_metrics(values, step=now)

    def named(self, terms: Terms, stage: str) -> dict[str, Tensor]:
        """Terms under the names they are recorded by; the penalty under its member's."""
        out = {f"{stage}/loss": terms.loss, f"{stage}/distortion": terms.distortion}
        if self.member.penalty_name:
            out[f"{stage}/{self.member.penalty_name}"] = terms.penalty
        if self.member.penalty_name == "kl":
            out[f"{stage}/nelbo"] = terms.distortion + terms.penalty
        return out

    def diverged(self, term: str, value: float, when: str) -> Diverged:
        term = self.member.penalty_name or term if term == "penalty" else term
        return Diverged(f"{term} is {value} at {when}: a lower optimizer.lr or trainer.gradient_clip_val may help")

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {"epoch_terms": self.epoch, "settings": dict(self.settings)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` said. Raises `Invalid` for that of other settings."""
        # weights and knobs are the checkpoint's: under other settings they would be recorded under a false name
        for name, value in state["settings"].items():
            if self.settings.get(name) != value:
                raise Invalid(
                    "resume", f"a checkpoint with {name}={value}", f"{self.settings.get(name)}, as in the config"
                )
        self.epoch = state["epoch_terms"]
