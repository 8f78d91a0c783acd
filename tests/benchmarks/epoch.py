"""What an epoch costs, ours against other ways to train the same VAE: `make bench`.

784-400-20 on MNIST, batches of 128, Adam: 54,000 images to train on and 6,000 to validate with, by

- ours: `python src/train.py model=vae network=mlp data=mnist model.latent_dim=20`, everything on;
- bare: a loop over tensors that stay in memory, with fused Adam;
- plain: the loop of most tutorials, torchvision's dataset with ToTensor and a DataLoader;
- stock: Lightning as it comes, a TensorDataset and three `self.log` a step;
- pythae: its trainer, where the package is installed;
- ours without its parts, one at a time: where the difference goes.

Figures and W&B are costs of a run rather than of an epoch, so that they are told by the seconds of a whole run of ours,
of 10 epochs. All take turns in one process, and each figure is a median over the turns. The first turn warms up and is
not counted. Run it in a terminal: elsewhere there is no progress bar to pay for.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import lightning as L
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.callbacks import Timer
from omegaconf import open_dict
from rich.console import Console
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset, TensorDataset
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from vaesweep.records.results import Results
from vaesweep.training.run_and_record import run

ROOT = Path(__file__).parent.parent.parent
DATA = os.environ.get("VAESWEEP_DATA", "data")
EPOCHS, LONG, BATCH, TRAIN = 2, 10, 128, 54_000
PARTS = {
    "without progress bar": ["~callbacks.progress", "+trainer.enable_progress_bar=false"],
    "without keeping checkpoints": ["~callbacks.last", "~callbacks.graceful_stop"],
}
FIGURES, WANDB = "callbacks=no_figures", "logger.wandb.mode=disabled"
PARTS_OF_A_RUN = {
    "without figures": [FIGURES],
    "without W&B": [WANDB],
    "without figures and W&B": [FIGURES, WANDB],
}


class VAE(nn.Module):
    """The model, as short as it can be written."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 40))
        self.decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = self.encoder(image).chunk(2, dim=1)
        eta = self.decoder(mean + (logvar / 2).exp() * torch.randn_like(mean))
        distortion = nn.functional.binary_cross_entropy_with_logits(eta, image.flatten(1), reduction="sum")
        return distortion / len(image), (mean.square() + logvar.exp() - 1 - logvar).sum() / 2 / len(image)


def loop(batches: Callable[[], object], held_out: Callable[[], object], **options: bool) -> float:
    """Seconds an epoch of a hand-written loop over (image, ...) batches."""
    model = VAE()
    adam = torch.optim.Adam(model.parameters(), 1e-3, **options)
    begun = time.perf_counter()
    for _ in range(EPOCHS):
        for image, *_ in batches():
            distortion, kl = model(image)
            adam.zero_grad()
            (distortion + kl).backward()
            adam.step()
        with torch.no_grad():
            for image, *_ in held_out():
                sum(model(image))
    return (time.perf_counter() - begun) / EPOCHS


def resident(images: Tensor, shuffle: bool) -> Callable[[], object]:
    """Batches of uint8 images in memory, as floats."""

    def batches() -> object:
        rows = torch.randperm(len(images)) if shuffle else torch.arange(len(images))
        for part in rows[: len(images) // BATCH * BATCH].split(BATCH):
            yield (images[part].float() / 255,)

    return batches


class Stock(L.LightningModule):
    """The model in Lightning as its documentation shows it."""

    def __init__(self) -> None:
        super().__init__()
        self.model = VAE()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        distortion, kl = self.model(batch[0])
        self.log("train/loss", distortion + kl, prog_bar=True)
        self.log("train/distortion", distortion)
        self.log("train/kl", kl)
        return distortion + kl

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", sum(self.model(batch[0])))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 1e-3)


def stock(images: Tensor) -> float:
    """Seconds an epoch of stock Lightning."""
    floats = images.float() / 255
    train, val = (TensorDataset(part) for part in floats.split(TRAIN))
    timer = Timer()
    with TemporaryDirectory() as folder:
        trainer = L.Trainer(max_epochs=EPOCHS, accelerator="cpu", callbacks=[timer], default_root_dir=folder)
        loaders = DataLoader(train, BATCH, shuffle=True, drop_last=True), DataLoader(val, BATCH)
        trainer.fit(Stock(), *loaders)
    return timer.time_elapsed("train") / EPOCHS


def ours(*overrides: str, epochs: int = EPOCHS) -> float:
    """Seconds an epoch of our own run."""
    with TemporaryDirectory() as folder, initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        told = ["model=vae", "model.latent_dim=20", "network=mlp", "data=mnist", f"trainer.max_epochs={epochs}"]
        where = [f"hydra.runtime.output_dir={folder}", "trainer=cpu", f"data.root={DATA}"]
        composed = compose("config", [*told, *where, *overrides], return_hydra_config=True)
        HydraConfig.instance().set_config(composed)
        with open_dict(composed):
            del composed["hydra"]
        run(composed)
        return Results.read(Path(folder)).seconds_per_epoch


def whole(*overrides: str) -> float:
    """Seconds of a long run of our own, from its configuration to its results."""
    begun = time.perf_counter()
    ours(*overrides, epochs=LONG)
    return time.perf_counter() - begun


def pythae(images: Tensor) -> float:
    """Seconds an epoch of pythae's trainer."""
    from with_pythae import epoch  # here, because the package is none of our dependencies

    return epoch(*(images.float() / 255).split(TRAIN), BATCH, EPOCHS)


def contenders() -> dict[str, Callable[[], float]]:
    """Whose epoch is measured, by name."""
    published = MNIST(DATA, train=True, download=True)
    images = published.data[:, None]
    transformed = MNIST(DATA, train=True, transform=ToTensor())
    train, val = Subset(transformed, range(TRAIN)), Subset(transformed, range(TRAIN, len(images)))
    return {
        "ours": ours,
        "bare": lambda: loop(resident(images[:TRAIN], True), resident(images[TRAIN:], False), fused=True),
        "plain": lambda: loop(lambda: DataLoader(train, BATCH, shuffle=True), lambda: DataLoader(val, BATCH)),
        "stock Lightning": lambda: stock(images),
        **({"pythae": lambda: pythae(images)} if find_spec("pythae") else {}),
        **{f"ours {name}": partial(ours, *overrides) for name, overrides in PARTS.items()},
    }


def take_turns(turns: int, timed: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Median seconds of each of `timed` over `turns` turns, after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for turn in range(turns + 1):
        for name, measure in timed.items():
            print(f"turn {turn} of {turns}: {name}")  # among what the contenders print: bars are part of the cost
            took = measure()
            if turn:
                seconds[name].append(took)
    return {name: statistics.median(values) for name, values in seconds.items()}


def table(what: str, medians: dict[str, float]) -> list[str]:
    """The seconds of each beside those of the first, in Markdown."""
    first, *_ = medians
    lines = [f"| | {what} | {first} is |", "|---|--:|--:|"]
    return lines + [f"| {name} | {s:.2f} | {medians[first] / s:.2f} x |" for name, s in medians.items()]


def main() -> None:
    """Measure, print the tables, and write them."""
    parser = argparse.ArgumentParser(description="What an epoch costs.")
    parser.add_argument("--turns", type=int, default=5, help="turns of each epoch (default: 5)")
    parser.add_argument("--long-turns", type=int, default=3, help="turns of each run of 10 epochs (default: 3)")
    parser.add_argument("--out", type=Path, default=Path("runs/bench/epoch.md"), help="where the tables go")
    given = parser.parse_args()
    runs = {"ours": whole} | {f"ours {name}": partial(whole, *over) for name, over in PARTS_OF_A_RUN.items()}
    lines = table("seconds an epoch", take_turns(given.turns, contenders()))
    lines += ["", *table(f"seconds of {LONG} epochs, start to end", take_turns(given.long_turns, runs))]
    machine = f"{os.cpu_count()} CPU cores, {platform.machine()}, torch {torch.__version__}"
    threads = f"{torch.get_num_threads()} threads"
    lines += ["", f"Medians of {given.turns} and {given.long_turns} turns; {machine}, {threads}."]
    if not sys.stdout.isatty():
        lines += ["Not in a terminal, and so without a progress bar."]
    if not find_spec("pythae"):
        lines += ["pythae is not installed, and so left out."]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text("\n".join(lines) + "\n")
    Console().print("\n".join(lines), markup=False, highlight=False)


if __name__ == "__main__":
    main()
