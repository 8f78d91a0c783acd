"""The course of training as a table on disk."""

import csv
import os
from pathlib import Path
from typing import Any

import lightning as L

from vaesweep.atomic_files import atomically
from vaesweep.training.lightning_module import LitAutoencoder


class HistoryCSV(L.Callback):
    """Writes `path`, a row an epoch: learning rate at its end, mean train/* terms, val/* metrics.

    A row is appended, and after training the file is written whole. A resumed run goes on with its checkpoint's rows.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.rows: list[dict[str, float]] = []
        self.columns: dict[str, None] = {}
        self.validated = False

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.validated = trainer.state.fn == "fit"

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, LitAutoencoder)
        seen = trainer.callback_metrics.items() if self.validated else ()  # of this epoch, not of an earlier one
        scores = {name: value.item() for name, value in seen if name.startswith("val/")}
        self.validated = False
        row = {"epoch": trainer.current_epoch + 1, "lr": pl_module.learning_rate}
        earlier = [row for row in self.rows if row["epoch"] <= trainer.current_epoch]
        is_anew = len(earlier) < len(self.rows)  # an epoch that `max_steps` had cut, taken up again
        self.rows = [*earlier, row | pl_module.training_means() | scores]
        if trainer.is_global_zero:
            if not is_anew and self.rows[-1].keys() <= self.columns.keys():
                with self.path.open("r+", newline="") as file:  # not "a", which would create it in a folder made anew
                    file.seek(0, os.SEEK_END)
                    csv.DictWriter(file, list(self.columns), restval="").writerow(self.rows[-1])
            else:
                self.write_all()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.rows and trainer.is_global_zero:
            self.write_all()

    def write_all(self) -> None:
        """Write the file anew, for rows that no earlier one has the columns of."""
        self.columns = dict.fromkeys(name for row in self.rows for name in row)
        with atomically(self.path) as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(self.columns), restval="")
            writer.writeheader()
            writer.writerows(self.rows)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]
