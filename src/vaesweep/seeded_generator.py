"""Random generators, each seeded by a name for its use, so that no generator state has to be saved or restored."""

import hashlib

import torch


def generator(*name: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on `device` seeded by the hash of `name`, for example (seed, "noise", step)."""
    digest = hashlib.sha256(repr(name).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "big", signed=True))
