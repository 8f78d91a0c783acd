"""How a run with `trainer.max_steps` goes on from a checkpoint."""

from typing import Any

import lightning as L


def restart_cut_epochs_only(trainer: L.Trainer) -> None:
    """Have a run with `max_steps` begin the next epoch where its checkpoint is that of a whole one.

    Lightning takes up the last epoch again whenever there is a `max_steps`, finds no batch left in it, and ends.
    """
    loop: Any = trainer.fit_loop
    loop._iteration_based_training = lambda: (
        trainer.max_steps != -1 and not loop.epoch_loop.batch_progress.is_last_batch
    )
