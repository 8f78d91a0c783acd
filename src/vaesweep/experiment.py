"""The one LightningModule: it trains and scores any member, or a stack of them."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_value_

from vaesweep.account import Account
from vaesweep.checks import Diverged, Invalid
from vaesweep.metrics import Average, CodeVariance
from vaesweep.optimizers import together
from vaesweep.seeds import generator
from vaesweep.stack import Stack
from vaesweep.terms import Batch


class Experiment(L.LightningModule):
    """Minimises `member(batch, noise).loss`; the noise of a training step is the same on any number of processes.

    Several accounts are trained as one `Stack`, each to what it would come to alone.

    Training terms are kept on the device and read every `log_every_n_steps` steps and at the end of an epoch, which
    is also when a loss that is not finite is noticed. Raises `Diverged`, naming the first such step and term, once
    no member is left; until then one that diverges is left out and its account says why.
    """

    def __init__(self, *accounts: Account) -> None:
        super().__init__()
        self.accounts = accounts
        self.stacked = len(accounts) > 1
        self.member = Stack([a.member for a in accounts]) if self.stacked else accounts[0].member
        self.scores = Average()
        self.codes = CodeVariance(self.member.latent_dim)
        self.steps = 0
        self.recent: list[tuple[int, Tensor]] = []

    @property
    def seed(self) -> int:
        """The first account's."""
        return self.accounts[0].seed

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
        adams = [account.optimizer for account in self.accounts]
        make = partial(together, adams) if self.stacked else adams[0]
        optimizer, scheduler = make(groups, self.steps, fused)
        if scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def noise(self, batch: Batch, *name: int | str) -> Tensor:
        """This process's rows of the standard normal noise for the batch of all processes, seeded by `name`.

        In a stack one for each member, by its own seed [M, ...].
        """
        count, *shape = self.member.noise_shape(batch)
        world, rank = self.trainer.world_size, self.trainer.global_rank
        drawn: dict[int, Tensor] = {}
        for seed in {account.seed: None for account in self.accounts}:
            source = generator(seed, *name, device=self.device)
            noise = torch.randn((count * world, *shape), generator=source, device=self.device, dtype=batch.image.dtype)
            drawn[seed] = noise[rank::world]
        return torch.stack([drawn[a.seed] for a in self.accounts]) if self.stacked else drawn[self.seed]

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
        self.recent.append((self.global_step, torch.stack(terms, dim=-1).detach()))
        return terms.loss.sum()

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        if gradient_clip_val and gradient_clip_algorithm == "value":
            clip_grad_value_(self.member.parameters(), gradient_clip_val)
        elif gradient_clip_val and isinstance(self.member, Stack):
            self.member.clip(gradient_clip_val)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        trainer: Any = self.trainer
        if len(self.recent) >= trainer.log_every_n_steps or batch_idx + 1 == trainer.num_training_batches:
            losses = self.flush()
            if losses:  # none where a checkpoint at this step was quicker
                self.log("loss", torch.stack(losses).mean(), prog_bar=True, logger=False)

    def flush(self) -> list[Tensor]:
        """Enter the terms kept since the last time into the accounts, where they are checked; the mean losses."""
        if not self.recent:
            return []
        steps, kept = zip(*self.recent, strict=True)
        self.recent.clear()
        rows = self.trainer.strategy.reduce(torch.stack(kept), reduce_op="mean").cpu()
        books = rows.unbind(1) if self.stacked else [rows]
        return self.each(lambda account, k: account.enter(books[k], steps, self.current_epoch, self.global_step))

    def each(self, what: Callable[[Account, int], Any]) -> list[Any]:
        """`what` of each account that is not left out, and its number; one that diverges now is."""
        done = []
        for k, account in enumerate(self.accounts):
            if account.failure is None:
                try:
                    done.append(what(account, k))
                except Diverged as error:
                    self.lose(account, error)
        return done

    def lose(self, account: Account, error: Exception) -> None:
        """Leave a member out from here on, or raise the error where it was the last."""
        account.failure, account.epochs = error, self.current_epoch
        if all(one.failure for one in self.accounts):
            raise error

    def trained(self) -> dict[str, float]:
        """The mean training terms of the epoch that has just ended, by name."""
        self.flush()  # where max_steps ended it
        return self.accounts[0].trained()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.flush()
        checkpoint["accounts"] = [account.state() for account in self.accounts]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # earlier versions kept the one account's entries among the others
        for account, state in zip(self.accounts, checkpoint.get("accounts", [checkpoint]), strict=True):
            account.restore(state)

    def on_validation_start(self) -> None:
        self.member.progress.fill_(1.0)

    def on_test_start(self) -> None:
        self.member.progress.fill_(1.0)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.score(batch, "val", batch_idx)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.score(batch, "test", batch_idx)

    def score(self, batch: Batch, stage: str, batch_idx: int) -> None:
        """Add one batch to the split's means."""
        values, codes = self.member.score(batch, self.noise(batch, stage, batch_idx))
        self.scores.update(values, len(batch.image))
        self.codes.update(codes)

    def on_validation_epoch_end(self) -> None:
        self.conclude("val")

    def on_test_epoch_end(self) -> None:
        self.conclude("test")

    def conclude(self, stage: str) -> None:
        """Log the objective over the whole split, whatever its batches were."""
        values, variance = self.scores.compute(), self.codes.compute()
        if isinstance(self.member, Stack):
            self.member.members()  # the penalty is a function of their knobs, wherever those are by now
        else:
            values, variance = values[None], variance[None]

        def close(account: Account, k: int) -> None:
            named = account.conclude(stage, values[k], variance[k], self.global_step)
            if self.stacked:
                account.log(named | {"epoch": torch.tensor(self.current_epoch)}, self.global_step)
            else:
                self.log_dict(named, sync_dist=True)

        self.each(close)
        self.scores.reset()
        self.codes.reset()
