"""The LightningModule of every model."""

import math
from collections.abc import Mapping
from typing import Any, NoReturn

import lightning as L
import torch
from torch import Tensor

from vaesweep.metrics import Average, CodeVariance, PerImageScores
from vaesweep.models import Autoencoder, Batch, Scores
from vaesweep.records.log_to_loggers import log_metrics
from vaesweep.seeded_generator import generator
from vaesweep.settings.check_arguments import check_int
from vaesweep.training.check_model_declaration import check_declaration
from vaesweep.training.check_resumption import check_epochs
from vaesweep.training.epoch_metrics import EpochMetrics, flatten_terms
from vaesweep.training.optimizers import Adam


class LitAutoencoder(L.LightningModule):
    """Minimises `model(batch, noise).loss`; the noise of a training step is the same on any number of processes.

    Training terms are kept on the device and read every `log_every_n_steps` steps and at the end of an epoch, which
    is also when a loss that is not finite is noticed: `DivergenceError`, naming the first such step and term.
    `settings` are what the weights depend on; a checkpoint of other settings is refused. `names` are what figures
    call the model, by default its class, and the data. Once trained, every image is scored with `samples` draws of the
    noise, and the scores are averaged.
    """

    def __init__(
        self,
        model: Autoencoder,
        optimizer: Adam,
        seed: int,
        settings: Mapping[str, Any] | None = None,
        names: tuple[str, str] | None = None,
        samples: int = 1,
    ) -> None:
        super().__init__()
        self.model = model
        self.names = names or (type(model).__name__, "")
        self.optimizer_recipe = optimizer
        self.seed = seed
        self.tracker = EpochMetrics(model, settings or {})
        self.samples = check_int("test_samples", samples)
        self.split_means = Average()
        self.image_scores = PerImageScores()
        self.code_variance = CodeVariance(model.latent_dim)
        self.steps = 0
        self.param_group = 0
        """Index of the optimizer's parameter group whose learning rate is logged."""
        self.pending: list[tuple[int, Tensor]] = []

    @classmethod
    def load_from_checkpoint(cls, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises TypeError: a checkpoint holds weights, and the model is built from the run's configuration."""
        raise TypeError("load_from_checkpoint needs the run's configuration: call vaesweep.load(FOLDER)")

    def configure_optimizers(self) -> Any:
        # not trainer.estimated_stepping_batches: asked here, it sets the loader up before a checkpoint can restore it
        trainer: Any = self.trainer
        batches, limit = len(trainer.datamodule.train_dataloader()), trainer.limit_train_batches
        batches = int(batches * limit) if isinstance(limit, float) else min(batches, limit)
        self.steps = math.ceil(batches / trainer.accumulate_grad_batches) * trainer.max_epochs
        if trainer.max_steps > 0:
            self.steps = min(self.steps, trainer.max_steps)
        # a likelihood's sigma is no weight to be decayed; fused kernels cannot clip what a grad scaler has scaled
        sigma = list(self.model.likelihood.parameters())
        weights = [p for p in self.model.parameters() if all(p is not s for s in sigma)]
        groups: list[dict[str, Any]] = [{"params": weights}]
        if sigma:
            groups.append({"params": sigma, "weight_decay": 0.0})
        optimizer, scheduler = self.make_optimizer(
            groups, fused=not (trainer.gradient_clip_val and "mixed" in trainer.precision)
        )
        if scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def make_optimizer(self, groups: list[dict[str, Any]], fused: bool) -> tuple[torch.optim.Optimizer, Any]:
        """The optimizer of some parameter groups and its scheduler, or None, over all steps of the run."""
        return self.optimizer_recipe(groups, self.steps, fused)

    def noise(self, batch: Batch, *name: int | str, world: int = 1, rank: int = 0) -> Tensor:
        """Standard normal noise for a batch, seeded by `name`; of `world` equal shares of it that of process `rank`."""
        return draw_noise(self.model, batch, (self.seed, *name), self.device, world, rank)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        if self.global_step == 0:
            self.check_first_batch(batch)

    @torch.no_grad()
    def check_first_batch(self, batch: Batch) -> None:
        """Refuse data or a model that training could not record. Raises `ConfigError`."""
        self.model.likelihood.check(batch.image)
        check_declaration(self.model, self.model.score(batch, self.noise(batch, "check")).means)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self.model.progress.fill_(self.global_step / self.steps)
        world, rank = self.trainer.world_size, self.trainer.global_rank
        terms = self.model(batch, self.noise(batch, "train", self.current_epoch, batch_idx, world=world, rank=rank))
        self.pending.append((self.global_step, flatten_terms(terms).detach()))
        return terms.loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        trainer: Any = self.trainer
        if len(self.pending) >= trainer.log_every_n_steps or batch_idx + 1 == trainer.num_training_batches:
            losses = self.log_pending()
            if losses is not None:  # there are none where a checkpoint at this step was quicker
                # where `log` puts it too, in milliseconds
                self.trainer.callback_metrics["loss"] = losses.mean()
                self.trainer.progress_bar_metrics["loss"] = losses.mean().item()

    def log_pending(self) -> Tensor | None:
        """Check, average and log the training terms kept since the last time; their mean loss."""
        if not self.pending:
            return None
        steps, terms = zip(*self.pending, strict=True)
        self.pending.clear()
        return self.log_terms(self.trainer.strategy.reduce(torch.stack(terms), reduce_op="mean").cpu(), steps)

    def log_terms(self, values: Tensor, steps: tuple[int, ...]) -> Tensor:
        """Log the terms [n, 2 + t] of n `steps`, the learning rate and the weight of the rate; their mean loss."""
        means = self.tracker.add_training_terms(values, steps, self.current_epoch)
        if self.trainer.loggers:
            weight = scheduled_weight(self.model, steps[-1] / self.steps)
            log_metrics(self.trainer.loggers, means | {"lr": self.learning_rate} | weight, self.global_step)
        return means["train/loss"]

    @property
    def learning_rate(self) -> float:
        """That of the next optimizer step."""
        return float(self.trainer.optimizers[0].param_groups[self.param_group]["lr"])

    def training_means(self) -> dict[str, float]:
        """The mean training terms of the epoch that has just ended, by name."""
        self.log_pending()  # where max_steps ended it
        return self.tracker.training_means()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.log_pending()
        checkpoint["epoch_metrics"] = self.tracker.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        check_epochs(self.trainer, checkpoint)
        self.tracker.load_state_dict(checkpoint["epoch_metrics"])

    def on_validation_start(self) -> None:
        self.model.progress.fill_(1.0)

    def on_test_start(self) -> None:
        self.model.progress.fill_(1.0)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.eval_step(batch, "val", batch_idx)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.eval_step(batch, "test", batch_idx)

    def eval_step(self, batch: Batch, stage: str, batch_idx: int) -> None:
        """Add one batch to the scores of the split."""
        number = batch_idx * self.trainer.world_size + self.trainer.global_rank
        if len(batch.image) == 0:  # it is there for the other processes, whose means have as many numbers
            self.image_scores.update(batch.image.new_zeros(0, 1), 0)
            blank = Batch(*(part.new_zeros(1, *part.shape[1:]) for part in batch))
            scores = self.mean_scores(blank, stage, number)
            self.split_means.update(torch.zeros_like(scores.means), 0)
            self.code_variance.update(scores.codes[:0])
        else:
            scores = self.mean_scores(batch, stage, number)
            self.split_means.update(scores.means, len(batch.image))
            self.code_variance.update(scores.codes)
            self.image_scores.update(scores.images.movedim(-2, 0).flatten(1), number)

    def mean_scores(self, batch: Batch, *name: int | str) -> Scores:
        """The model's scores of a batch, means over draws of the noise: one in training, `samples` afterwards."""
        first = self.noise(batch, *name)
        samples = 1 if self.trainer.state.fn == "fit" or first.numel() == 0 else self.samples
        return self.model.score(batch, first, *(self.noise(batch, *name, k) for k in range(1, samples)))

    def on_validation_epoch_end(self) -> None:
        self.log_split("val")

    def on_test_epoch_end(self) -> None:
        self.log_split("test")

    def log_split(self, stage: str) -> None:
        """Log the objective over the whole split, whatever its batches were."""
        # torchmetrics takes the only dimension of a vector of one away
        values, variance = self.split_means.compute(), self.code_variance.compute().view(-1)
        images = self.image_scores.compute()
        for scores in (self.split_means, self.code_variance, self.image_scores):
            scores.reset()
        metrics = self.tracker.finish_split(stage, values, variance, images, self.global_step)
        if self.trainer.state.fn == "fit":
            # at every epoch: where `log_dict` puts them too, in several times the time of a small validation
            self.trainer.callback_metrics.update(metrics)
            if not self.trainer.sanity_checking:
                log_metrics(self.trainer.loggers, metrics | {"epoch": self.current_epoch + 1}, self.global_step)
        else:  # the curves end with training
            self.log_dict(metrics, sync_dist=True, logger=None if self.trainer.state.fn == "test" else False)


def draw_noise(
    model: Autoencoder, batch: Batch, name: tuple[int | str, ...], device: torch.device, world: int, rank: int
) -> Tensor:
    """Every `world`-th row, from `rank`, of the noise that is named so and that `model` wants for `world` batches.

    It is drawn in float32 whatever the precision, because other types draw other numbers.
    """
    count, *shape = model.noise_shape(batch)
    source = generator(*name, device=device)
    noise = torch.randn((count * world, *shape), generator=source, device=device, dtype=torch.float32)
    return noise[rank::world].to(batch.image.dtype)


def scheduled_weight(model: Autoencoder, progress: float) -> dict[str, Tensor]:
    """The weight of the model's rate in the loss at a share of training, by its setting's name; {} without one.

    A schedule without a target is linear in the rate, so that it maps the weight as it maps the rate.
    """
    name = model.declaration.rate_weight
    if name is None:
        return {}
    weight: Tensor = getattr(model, name)
    schedule = getattr(model, "schedule", None)
    return {name: weight if schedule is None else schedule(weight, weight.new_tensor(progress))}
