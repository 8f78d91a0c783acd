"""The VAE 784-400-20 on MNIST by hand, on all 60,000 training images: `python tests/benchmarks/plain_loop.py 1e-3`.

The argument is Adam's rate; with `onecycle` after it the highest of a cycle. Numbers to compare ours with, not times.
"""

import os
import sys

import torch
from torch import nn
from torchvision.datasets import MNIST

torch.manual_seed(0)
train, test = (
    MNIST(os.environ.get("VAESWEEP_DATA", "data"), train).data.flatten(1).float() / 255 for train in (True, False)
)
encoder = nn.Sequential(nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 40))
decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))
weights = [*encoder.parameters(), *decoder.parameters()]
rate, steps = float(sys.argv[1]), 10 * (len(train) // 128)
adam = torch.optim.Adam(weights, rate)
cycle = torch.optim.lr_scheduler.OneCycleLR(adam, rate, total_steps=steps) if "onecycle" in sys.argv else None


def terms(x):
    mean, logvar = encoder(x).chunk(2, dim=1)
    eta = decoder(mean + (logvar / 2).exp() * torch.randn_like(mean))
    distortion = nn.functional.binary_cross_entropy_with_logits(eta, x, reduction="sum") / len(x)
    return distortion, (mean.square() + logvar.exp() - 1 - logvar).sum() / 2 / len(x)


for _ in range(10):
    for rows in torch.randperm(len(train))[: len(train) // 128 * 128].split(128):
        adam.zero_grad()
        sum(terms(train[rows])).backward()
        adam.step()
        if cycle:
            cycle.step()
with torch.no_grad():
    distortion, kl = terms(test)
print(f"nelbo {distortion + kl:.2f}, distortion {distortion:.2f}, KL {kl:.2f}")
