"""What an epoch costs, ours against other ways to train the same VAE: `make bench`.

On `mnist`, `mnist5k` and `digits`, with the network and the batches that a run on them has by default, Adam, by

- ours: `python src/train.py model=vae data=DATA`, everything on;
- bare: a loop over tensors that stay in memory, with fused Adam;
- stock: Lightning as it comes, a TensorDataset and three `self.log` a step;
- on `mnist` plain: the loop of most tutorials, torchvision's dataset with ToTensor and a DataLoader;
- on `mnist` pythae: its trainer, where the package is installed;
- ours without its parts, one at a time: where the difference goes;
- on `mnist` ours with `bf16-mixed`, and with `bf16-mixed` and `compile`, over four epochs. What is compiled comes from
  torch's cache on the disk, but in the turn that is not counted.

Figures and W&B are costs of a run rather than of an epoch, so that they are told by the seconds of the default run. All
take turns in one process. In a turn each of the others is a pair with ours, because a machine's speed changes from
minute to minute: a ratio is the median of the ratios of the pairs. Seconds are medians. The first turn warms up and is
not counted. Run it in a terminal: elsewhere there is no progress bar to pay for.

The bare loop's share of the machine's peak is that of the products of its steps: 6 B sum(in * out) floating-point
operations a step, over those of the fastest product of two matrices of 2048 x 2048 that was measured after the turns.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import lightning as L
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.callbacks import Timer
from omegaconf import DictConfig, open_dict
from rich.console import Console
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset, TensorDataset
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from vaesweep.records.results import Results
from vaesweep.settings.instantiate import build
from vaesweep.studies.folder_names import register_resolvers
from vaesweep.training.run_and_record import run

register_resolvers()

ROOT = Path(__file__).parent.parent.parent
DATA = os.environ.get("VAESWEEP_DATA", "data")
EPOCHS = {"mnist": 1, "mnist5k": 4, "digits": 20}
"""How many epochs of a data set are timed as one."""
LATENT = {"mnist": 20, "mnist5k": 10, "digits": 10}
PARTS = {
    "without progress bar": ["~callbacks.progress", "+trainer.enable_progress_bar=false"],
    "without keeping checkpoints": ["~callbacks.last", "~callbacks.best", "~callbacks.graceful_stop"],
}
BF16 = "trainer.precision=bf16-mixed"
FASTER = {
    "with bf16-mixed": [BF16, "trainer.max_epochs=4"],
    "with bf16-mixed and compile": [BF16, "compile=true", "trainer.max_epochs=4"],
}
FIGURES, WANDB = "callbacks=no_figures", "logger.wandb.mode=disabled"
PARTS_OF_A_RUN = {
    "without figures": [FIGURES],
    "without W&B": [WANDB],
    "without figures and W&B": [FIGURES, WANDB],
}
PEAK = 2048
Pairs = dict[str, list[tuple[float, float]]]
"""By name of a contender, of each turn our seconds and its own."""


class VAE(nn.Module):
    """The model, as short as it can be written."""

    def __init__(self, pixels: int, latent_dim: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 400), nn.ReLU(), nn.Linear(400, 2 * latent_dim))
        self.decoder = nn.Sequential(nn.Linear(latent_dim, 400), nn.ReLU(), nn.Linear(400, pixels))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = self.encoder(image).chunk(2, dim=1)
        eta = self.decoder(mean + (logvar / 2).exp() * torch.randn_like(mean))
        distortion = nn.functional.binary_cross_entropy_with_logits(eta, image.flatten(1), reduction="sum")
        return distortion / len(image), (mean.square() + logvar.exp() - 1 - logvar).sum() / 2 / len(image)


@dataclass
class Images:
    """The training and validation images of a data set, floats in [0, 1], and how they are trained on."""

    name: str
    train: Tensor
    val: Tensor
    batch: int

    @classmethod
    def of(cls, name: str) -> "Images":
        data = build(composed(name), "data")
        data.prepare_data()
        data.setup()
        loaders = (data.batches(split) for split in ("train", "val"))
        return cls(name, *(torch.cat([batch.image for batch in loader]) for loader in loaders), data.batch_size)

    @property
    def epochs(self) -> int:
        return EPOCHS[self.name]

    def model(self) -> VAE:
        return VAE(self.train[0].numel(), LATENT[self.name])


def loop(images: Images, batches: Callable[[], object], held_out: Callable[[], object], **options: bool) -> float:
    """Seconds an epoch of a hand-written loop over (image, ...) batches."""
    model = images.model()
    adam = torch.optim.Adam(model.parameters(), 1e-3, **options)
    begun = time.perf_counter()
    for _ in range(images.epochs):
        for image, *_ in batches():
            distortion, kl = model(image)
            adam.zero_grad()
            (distortion + kl).backward()
            adam.step()
        with torch.no_grad():
            for image, *_ in held_out():
                sum(model(image))
    return (time.perf_counter() - begun) / images.epochs


def bare(images: Images) -> float:
    """Seconds an epoch over uint8 images in memory, made floats as they are taken."""

    def batches(part: Tensor, shuffle: bool) -> object:
        rows = torch.randperm(len(part)) if shuffle else torch.arange(len(part))
        for chosen in rows[: len(part) // images.batch * images.batch].split(images.batch):
            yield (part[chosen].float() / 255,)

    train, val = ((part * 255).byte() for part in (images.train, images.val))
    return loop(images, lambda: batches(train, True), lambda: batches(val, False), fused=True)


def plain(images: Images) -> float:
    """Seconds an epoch over torchvision's data set."""
    transformed = MNIST(DATA, train=True, transform=ToTensor())
    train = Subset(transformed, range(len(images.train)))
    val = Subset(transformed, range(len(images.train), len(transformed)))
    loaders = partial(DataLoader, train, images.batch, shuffle=True), partial(DataLoader, val, images.batch)
    return loop(images, *loaders)


class Stock(L.LightningModule):
    """The model in Lightning as its documentation shows it."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

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


def stock(images: Images) -> float:
    """Seconds an epoch of stock Lightning."""
    train, val = TensorDataset(images.train), TensorDataset(images.val)
    timer = Timer()
    with TemporaryDirectory() as folder:
        trainer = L.Trainer(max_epochs=images.epochs, accelerator="cpu", callbacks=[timer], default_root_dir=folder)
        loaders = DataLoader(train, images.batch, shuffle=True, drop_last=True), DataLoader(val, images.batch)
        trainer.fit(Stock(images.model()), *loaders)
    return timer.time_elapsed("train") / images.epochs


def composed(name: str, *overrides: str, folder: str = "") -> DictConfig:
    """The configuration of a run."""
    told = ["model=vae", "network=mlp", f"data={name}", f"model.latent_dim={LATENT[name]}", "trainer=cpu"]
    where = [f"hydra.runtime.output_dir={folder}"] + [f"data.root={DATA}"] * (name == "mnist")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", [*told, *where, *overrides], return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        del config["hydra"]
    return config


def ours(name: str, *overrides: str) -> float:
    """Seconds an epoch of our own run."""
    with TemporaryDirectory() as folder:
        run(composed(name, f"trainer.max_epochs={EPOCHS[name]}", *overrides, folder=folder))
        return Results.read(Path(folder)).seconds_per_epoch


def whole(*overrides: str) -> float:
    """Seconds of our default run, from its configuration to its results."""
    begun = time.perf_counter()
    with TemporaryDirectory() as folder:
        run(composed("mnist5k", *overrides, folder=folder))
    return time.perf_counter() - begun


def pythae(images: Images) -> float:
    """Seconds an epoch of pythae's trainer."""
    from with_pythae import epoch  # here, because the package is none of our dependencies

    return epoch(images.train, images.val, images.batch, images.epochs)


def contenders(name: str) -> dict[str, Callable[[], float]]:
    """Whose epoch is measured, by name."""
    images = Images.of(name)
    others = {"plain": plain} | ({"pythae": pythae} if find_spec("pythae") else {}) if name == "mnist" else {}
    variants = PARTS | (FASTER if name == "mnist" else {})
    return {
        "ours": partial(ours, name),
        **{
            who: partial(measure, images)
            for who, measure in ({"bare": bare, "stock Lightning": stock} | others).items()
        },
        **{f"ours {variant}": partial(ours, name, *overrides) for variant, overrides in variants.items()},
    }


def peak() -> float:
    """Floating-point operations a second of a product of two square matrices."""
    a, b = torch.rand(2, PEAK, PEAK)
    begun = time.perf_counter()
    a @ b
    return 2 * PEAK**3 / (time.perf_counter() - begun)


def operations(images: Images) -> float:
    """Floating-point operations of the products in the steps of an epoch: forward, and twice that backward."""
    weights = sum(part.weight.numel() for part in images.model().modules() if isinstance(part, nn.Linear))
    return 6 * weights * images.batch * (len(images.train) // images.batch)


def take_turns(turns: int, timed: dict[str, Callable[[], float]]) -> Pairs:
    """Time each of `timed` beside the first of them, in `turns` turns after one that is not counted."""
    first, *others = timed
    pairs: Pairs = {name: [] for name in others}
    for turn in range(turns + 1):
        for name in others:
            seconds = {}
            for one in (first, name) if turn % 2 else (name, first):
                print(f"turn {turn} of {turns}: {one}")  # among what they print: bars are part of the cost
                seconds[one] = timed[one]()
            if turn:
                pairs[name].append((seconds[first], seconds[name]))
    return pairs


def median_seconds(pairs: Pairs, name: str) -> float:
    """The median seconds of `name`."""
    return statistics.median(other for _, other in pairs[name])


def table(what: str, first: str, pairs: Pairs) -> list[str]:
    """The seconds of each beside those of the first, in Markdown."""
    own = statistics.median(seconds for taken in pairs.values() for seconds, _ in taken)
    lines = [f"| {what} | | {first} is |", "|---|--:|--:|", f"| {first} | {own:.3g} | 1.00 x |"]
    for name, taken in pairs.items():
        ratio = statistics.median(seconds / other for seconds, other in taken)
        lines.append(f"| {name} | {median_seconds(pairs, name):.3g} | {ratio:.2f} x |")
    return lines


def main() -> None:
    """Measure, print the tables, and write them."""
    parser = argparse.ArgumentParser(description="What an epoch costs.")
    parser.add_argument("--data", nargs="+", default=list(EPOCHS), choices=EPOCHS, help="data sets (default: all)")
    parser.add_argument("--epochs", type=int, help="epochs that are timed as one (default: by data set)")
    parser.add_argument("--turns", type=int, default=3, help="turns of each epoch (default: 3)")
    parser.add_argument("--long-turns", type=int, default=1, help="turns of each default run (default: 1)")
    parser.add_argument("--out", type=Path, default=Path("runs/bench/epoch.md"), help="where the tables go")
    given = parser.parse_args()
    EPOCHS.update(dict.fromkeys(EPOCHS, given.epochs) if given.epochs else {})
    lines: list[str] = []
    for name in given.data:
        pairs = take_turns(given.turns, contenders(name))
        fastest, images = max(peak() for _ in range(10)), Images.of(name)
        share = operations(images) / median_seconds(pairs, "bare") / fastest
        lines += table(f"{name}, seconds an epoch", "ours", pairs)
        lines += ["", f"{name}: the bare loop's products are at {share:.0%} of {fastest / 1e9:.0f} GFLOP/s.", ""]
    if given.long_turns:
        runs = {"ours": whole} | {f"ours {part}": partial(whole, *over) for part, over in PARTS_OF_A_RUN.items()}
        lines += [*table("seconds of the default run", "ours", take_turns(given.long_turns, runs)), ""]
    machine = f"{os.cpu_count()} CPU cores, {platform.machine()}, torch {torch.__version__}"
    threads = f"{torch.get_num_threads()} threads"
    lines += [f"Medians of {given.turns} and {given.long_turns} turns; {machine}, {threads}."]
    if not sys.stdout.isatty():
        lines += ["Not in a terminal, and so without a progress bar."]
    if not find_spec("pythae"):
        lines += ["pythae is not installed, and so left out."]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text("\n".join(lines) + "\n")
    Console().print("\n".join(lines), markup=False, highlight=False)


if __name__ == "__main__":
    main()
