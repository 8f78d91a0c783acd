"""The one LightningModule: it trains and scores any member."""

import math
from collections.abc import Mapping
from typing import Any

import lightning as L
import torch
from torch import Tensor

from vaesweep.checks import Diverged, Invalid
from vaesweep.family import Autoencoder
from vaesweep.metrics import Average, CodeVariance, active_units
from vaesweep.optimizers import Adam
from vaesweep.seeds import generator
from vaesweep.terms import Batch, Terms


class Experiment(L.LightningModule):
    """Minimises `member(batch, noise).loss`; the noise of a training step is the same on any number of processes.

    Training terms are kept on the device and read every `log_every_n_steps` steps and at the end of an epoch, which
    is also when a loss that is not finite is noticed. Raises `Diverged`, naming the first such step and term.
    `settings` go into every checkpoint; one with other settings is refused with `Invalid`.
    """

    def __init__(
        self, member: Autoencoder, optimizer: Adam, seed: int, settings: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.settings = dict(settings or {})
        self.member, self.optimizer, self.seed = member, optimizer, seed
        self.scores = Average()
        self.codes = CodeVariance(member.latent_dim)
        self.dimensions: list[float] = []
        self.steps = 0
        self.recent: list[tuple[int, Tensor]] = []
        self.epoch: dict[str, Any] = {"number": -1}

    def configure_optimizers(self) -> Any:
        # not trainer.estimated_stepping_batches: asked here, it sets the loader up before a checkpoint can restore it
        trainer: Any = self.trainer
        batches, limit = len(trainer.datamodule.train_dataloader()), trainer.limit_train_batches
        batches = int(batches * limit) if isinstance(limit, float) else min(batches, limit)
        self.steps = math.ceil(batches / trainer.accumulate_grad_batches) * trainer.max_epochs
        if trainer.max_steps > 0:
            self.steps = min(self.steps, trainer.max_steps)
        # a likelihood's sigma is no weight to be decayed; fused kernels cannot clip what a grad scaler has scaled
        sigma = list(self.member.likelihood.parameters())
        weights = [p for p in self.member.parameters() if all(p is not s for s in sigma)]
        groups: list[dict[str, Any]] = [{"params": weights}, {"params": sigma, "weight_decay": 0.0}]
        fused = not (trainer.gradient_clip_val and "mixed" in trainer.precision)
        optimizer, scheduler = self.optimizer(groups, self.steps, fused)
        if scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def noise(self, batch: Batch, *name: int | str) -> Tensor:
        """This process's rows of the standard normal noise for the batch of all processes, seeded by `name`."""
        count, *shape = self.member.noise_shape(batch)
        world, rank = self.trainer.world_size, self.trainer.global_rank
        source = generator(self.seed, *name, device=self.device)
        noise = torch.randn((count * world, *shape), generator=source, device=self.device, dtype=batch.image.dtype)
        return noise[rank::world]

    def on_train_start(self) -> None:
        planned = [config.scheduler.state_dict()["total_steps"] for config in self.trainer.lr_scheduler_configs]
        if planned not in ([], [self.steps]):
            given = f"{self.trainer.max_epochs} ({self.steps} steps) to resume a cycle of {planned[0]} steps"
            raise Invalid("trainer.max_epochs", given, "as before, for onecycle; optimizer.rate=constant can go on")

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        if self.global_step == 0:
            self.member.likelihood.check(batch.image)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self.member.progress.fill_(self.global_step / self.steps)
        terms = self.member(batch, self.noise(batch, "train", self.current_epoch, batch_idx))
        self.recent.append((self.global_step, torch.stack(terms).detach()))
        return terms.loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        trainer: Any = self.trainer
        if len(self.recent) >= trainer.log_every_n_steps or batch_idx + 1 == trainer.num_training_batches:
            self.log("loss", self.flush()["train/loss"], prog_bar=True, logger=False, sync_dist=True)

    def flush(self) -> dict[str, Tensor]:
        """Read the terms kept since the last time: check that they are finite, log and return their means."""
        steps, kept = zip(*self.recent, strict=True)
        self.recent.clear()
        rows = self.trainer.strategy.reduce(torch.stack(kept), reduce_op="mean")
        finite = rows.isfinite()
        if not finite.all():
            row, term = (~finite).nonzero()[0].tolist()
            raise self.diverged(Terms._fields[term], rows[row, term].item(), f"training step {steps[row]}")
        if self.epoch["number"] != self.current_epoch:
            self.epoch = {"number": self.current_epoch, "steps": 0, "sum": 0.0}
        # in float64, so that they are the same however the steps of an epoch were divided
        self.epoch["sum"] += rows.cpu().double().sum(0)
        self.epoch["steps"] += len(rows)
        named = self.named(Terms(*rows.mean(0)), "train")
        for logger in self.loggers:
            logger.log_metrics({name: value.item() for name, value in named.items()}, step=self.global_step)
        return named

    def trained(self) -> dict[str, float]:
        """The mean training terms of the epoch that has just ended, by name."""
        if self.recent:  # where max_steps ended it
            self.flush()
        terms = Terms(*(self.epoch["sum"] / self.epoch["steps"]))
        return {name: value.item() for name, value in self.named(terms, "train").items()}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.recent:
            self.flush()
        checkpoint["epoch_terms"], checkpoint["settings"] = self.epoch, self.settings

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # weights and knobs are the checkpoint's: under other settings they would be recorded under a false name
        for name, value in checkpoint["settings"].items():
            if self.settings.get(name) != value:
                raise Invalid(
                    "resume", f"a checkpoint with {name}={value}", f"{self.settings.get(name)}, as in the config"
                )
        self.epoch = checkpoint["epoch_terms"]

    def diverged(self, term: str, value: float, when: str) -> Diverged:
        term = self.member.penalty_name or term if term == "penalty" else term
        return Diverged(f"{term} is {value} at {when}: a lower optimizer.lr or trainer.gradient_clip_val may help")

    def named(self, terms: Terms, stage: str) -> dict[str, Tensor]:
        """Terms under the names they are recorded by; the penalty under its member's."""
        out = {f"{stage}/loss": terms.loss, f"{stage}/distortion": terms.distortion}
        if self.member.penalty_name:
            out[f"{stage}/{self.member.penalty_name}"] = terms.penalty
        if self.member.penalty_name == "kl":
            out[f"{stage}/nelbo"] = terms.distortion + terms.penalty
        return out

    def on_validation_start(self) -> None:
        self.member.progress.fill_(1.0)

    def on_test_start(self) -> None:
        self.member.progress.fill_(1.0)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.score(batch, self.noise(batch, "val", batch_idx))

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.score(batch, self.noise(batch, "test", batch_idx))

    def score(self, batch: Batch, noise: Tensor) -> None:
        """Add one batch to the epoch's means: what the terms are made of, and the reconstruction's squared error."""
        distortion, means = self.member.parts(batch, noise)
        mean = self.member.posterior(self.member.corrupt(batch.image, noise), batch.label).mean
        mse = (self.member.generate(mean, batch.label) - batch.image).square().mean()
        self.scores.update(torch.cat([distortion[None], mse[None], means]), len(batch.image))
        self.codes.update(mean)

    def on_validation_epoch_end(self) -> None:
        self.conclude("val")

    def on_test_epoch_end(self) -> None:
        self.conclude("test")

    def conclude(self, stage: str) -> None:
        """Log the objective over the whole split, whatever its batches were. Raises `Diverged` when not finite."""
        distortion, mse, *means = self.scores.compute()
        penalty, weighted = self.member.penalty(torch.stack([distortion, *means])[1:])
        terms = Terms(distortion, penalty, distortion + weighted)
        for term, value in zip(Terms._fields, terms, strict=True):
            if not value.isfinite():
                raise self.diverged(term, value.item(), f"{stage} after step {self.global_step}")
        has_rate, variance = self.member.penalty_name == "kl", self.codes.compute()
        active = active_units(variance, 1.0 if has_rate else variance.max())
        named = self.named(terms, stage) | {f"{stage}/mse": mse, f"{stage}/active_units": active}
        self.dimensions = (torch.stack(means) if has_rate else variance).tolist()
        self.log_dict({name: value.float() for name, value in named.items()}, sync_dist=True)
        self.scores.reset()
        self.codes.reset()
