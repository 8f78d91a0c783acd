"""The VAE 784-400-20 by hand, on all 60,000 images of MNIST: `python tests/benchmarks/hand_written_vae.py 1e-3`.

The argument is Adam's rate; with `onecycle` after it the highest of a cycle. Numbers to compare ours with, not times.
"""

import os
import sys

import torch
from epoch import VAE
from torchvision.datasets import MNIST

torch.manual_seed(0)
root = os.environ.get("VAESWEEP_DATA", "data")
train, test = (MNIST(root, train).data.float() / 255 for train in (True, False))
model = VAE(784, 20)
rate, steps = float(sys.argv[1]), 10 * (len(train) // 128)
adam = torch.optim.Adam(model.parameters(), rate)
cycle = torch.optim.lr_scheduler.OneCycleLR(adam, rate, total_steps=steps) if "onecycle" in sys.argv else None
for _ in range(10):
    for rows in torch.randperm(len(train))[: len(train) // 128 * 128].split(128):
        adam.zero_grad()
        sum(model(train[rows])).backward()
        adam.step()
        if cycle:
            cycle.step()
with torch.no_grad():
    distortion, kl = model(test)
print(f"nelbo {distortion + kl:.2f}, distortion {distortion:.2f}, KL {kl:.2f}")
