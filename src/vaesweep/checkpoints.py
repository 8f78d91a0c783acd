"""Checkpoints that are whole or not there, and those of a stack: one file a member, as if it had been alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.plugins.io import TorchCheckpointIO

from vaesweep.files import atomically
from vaesweep.seat import Seat
from vaesweep.slicing import row, rows

CHECKPOINT = Path("checkpoints/last.ckpt")


class Whole(TorchCheckpointIO):
    """Lightning's own pass through the temporary folder, and may be cut."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        with atomically(Path(path)) as unfinished:
            super().save_checkpoint(checkpoint, unfinished, storage_options)


class Unstacked(Whole):
    """Writes the checkpoint of a stack as its members', and reads theirs as the stack's.

    `stretches` are the slices of `seats` that share groups of the optimizer. A seat given as `storage_options` alone
    is written, to the path; otherwise each that is not left out, to CHECKPOINT in its folder. The clock in a member's
    checkpoint shows its share of the time.
    """

    def __init__(self, seats: Sequence[Seat], stretches: Sequence[slice]) -> None:
        self.seats, self.stretches = seats, stretches

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        for index, seat in enumerate(self.seats):
            if storage_options is seat or (storage_options is None and seat.taken):
                own = row(checkpoint, index, self.stretches)
                shared = timed(checkpoint["callbacks"], 1 / len(self.seats))
                own["callbacks"] = shared | seat.callback_states()
                try:
                    super().save_checkpoint(own, path if storage_options else seat.folder / CHECKPOINT)
                except OSError as error:  # a full disk, where the others may still find room
                    if storage_options:
                        raise
                    seat.account.failure = error

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        every = [
            super(Unstacked, self).load_checkpoint(seat.folder / CHECKPOINT, map_location, weights_only)
            for seat in self.seats
        ]
        own = self.seats[0].callback_states()
        shared = {key: state for key, state in every[0]["callbacks"].items() if key not in own}
        return rows(every, self.stretches) | {
            "callbacks": timed(shared, len(self.seats)) | {"Members": [checkpoint["callbacks"] for checkpoint in every]}
        }


def timed(callbacks: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """States of callbacks with the clock set to `factor` times what it shows."""
    shown = callbacks.get("Timer", {}).get("time_elapsed", {})
    clock = {"Timer": {"time_elapsed": {stage: seconds * factor for stage, seconds in shown.items()}}}
    return {**callbacks, **(clock if shown else {})}
