"""What the contraction penalty costs, a training step of each way to take it: `make bench`.

Forward, backward and fused Adam on 128 random images of 28 x 28, codes of 20 dimensions:

- vae: the step that its network's others are compared with, one sigmoid layer with that of 784-400-20;
- exact: what `model=contractive` does; a code that is a sigmoid has no quadratic form to share between images;
- rows: one vector-Jacobian product a latent dimension under `vmap`, as exact once was;
- probes=n: the estimate from n random projections an image.

All take turns of three steps in one process, and each figure is a median over the turns. The first turn warms up and is
not counted.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor
from torch.func import vjp, vmap

from vaesweep.models import VAE, Autoencoder, Batch, ContractiveAutoencoder, Spec
from vaesweep.models.distributions import Bernoulli, DiagonalGaussian, Dirac
from vaesweep.models.networks import MLP, Conv, Network
from vaesweep.models.schedules import Constant

SPEC, LATENT = Spec((1, 28, 28), 1), 20
BATCH = Batch(torch.rand(128, *SPEC.shape), torch.zeros(128, 1, dtype=torch.int64))
STEPS = 3
MLP1, MLP2, CONV = MLP([400]), MLP([400, 400]), Conv((32, 64), (16,), 3)


class Rows(ContractiveAutoencoder):
    """The norm from all rows of the Jacobian at once."""

    def batch_means(self, posterior: Dirac | DiagonalGaussian, seen: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        z, pull = vjp(lambda image: self.posterior(image, label).mean, seen)[:2]
        (rows,) = vmap(pull)(torch.eye(z.shape[1])[:, None].expand(-1, len(z), -1))
        return rows.square().sum()[None] / len(seen)


def vae(network: Network) -> Callable[[], float]:
    """Seconds of a VAE's step."""
    return step(VAE(network, SPEC, LATENT, Bernoulli(), Constant()))


def contractive(
    network: Network,
    code: str = "identity",
    probes: int | None = None,
    kind: type[ContractiveAutoencoder] = ContractiveAutoencoder,
) -> Callable[[], float]:
    """Seconds of a contractive step."""
    return step(kind(network, SPEC, LATENT, Bernoulli(), code, 0.1, probes))


def step(model: Autoencoder) -> Callable[[], float]:
    """Seconds of a training step of `model`, the mean of `STEPS`."""
    adam = torch.optim.Adam(model.parameters(), 1e-4, fused=True)

    def once() -> None:
        terms = model(BATCH, torch.randn(model.noise_shape(BATCH)))
        adam.zero_grad()
        terms.loss.backward()
        adam.step()

    def timed() -> float:
        once()  # which pays for the memory and the caches that the one before it left
        begun = time.perf_counter()
        for _ in range(STEPS):
            once()
        return (time.perf_counter() - begun) / STEPS

    return timed


def contenders() -> dict[str, dict[str, Callable[[], float]]]:
    """What is measured, by network and name; the first of each network is what its others are compared with."""
    return {
        "784-400-20": {
            "vae": vae(MLP1),
            "exact": contractive(MLP1),
            "exact, sigmoid code": contractive(MLP1, "sigmoid"),
            "rows": contractive(MLP1, kind=Rows),
            "probes=1": contractive(MLP1, probes=1),
            "probes=4": contractive(MLP1, probes=4),
            "one sigmoid layer, 784-20, exact": contractive(MLP([]), "sigmoid"),
        },
        "784-400-400-20": {
            "vae": vae(MLP2),
            "exact": contractive(MLP2),
            "rows": contractive(MLP2, kind=Rows),
            "probes=1": contractive(MLP2, probes=1),
        },
        "conv": {
            "vae": vae(CONV),
            "exact": contractive(CONV),
            "rows": contractive(CONV, kind=Rows),
            "probes=1": contractive(CONV, probes=1),
            "probes=4": contractive(CONV, probes=4),
        },
    }


def main() -> None:
    """Measure, print the table, and write it."""
    parser = argparse.ArgumentParser(description="What the contraction penalty costs.")
    parser.add_argument("--turns", type=int, default=5, help="turns of each (default: 5)")
    parser.add_argument("--out", type=Path, default=Path("runs/bench/contraction.md"), help="where the table goes")
    given = parser.parse_args()
    timed = contenders()
    seconds = {(network, name): list[float]() for network, ways in timed.items() for name in ways}
    for turn in range(given.turns + 1):
        for network, name in seconds:
            took = timed[network][name]()
            if turn:
                seconds[network, name].append(took)
    medians = {key: statistics.median(values) for key, values in seconds.items()}
    lines = ["| network | step | ms | of its VAE's |", "|---|---|--:|--:|"]
    lines += [f"| {n} | {name} | {1e3 * s:.1f} | {s / medians[n, 'vae']:.2f} x |" for (n, name), s in medians.items()]
    machine = f"{os.cpu_count()} CPU cores, {platform.machine()}, torch {torch.__version__}"
    lines += ["", f"Medians of {given.turns} turns; {machine}, {torch.get_num_threads()} threads."]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text("\n".join(lines) + "\n")
    Console().print("\n".join(lines), markup=False, highlight=False)


if __name__ == "__main__":
    main()
