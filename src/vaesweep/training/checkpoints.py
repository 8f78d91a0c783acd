"""Checkpoints that are whole or not there."""

from pathlib import Path
from typing import Any

from lightning.pytorch.plugins.io import TorchCheckpointIO

from vaesweep.files import atomically

CHECKPOINT = Path("checkpoints/last.ckpt")
"""The checkpoint in a run folder that a resumed run goes on from."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint under another name and renames it. Lightning's own may be cut short."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        with atomically(Path(path)) as unfinished:
            super().save_checkpoint(checkpoint, unfinished, storage_options)
