"""How many members fit into memory at a time."""

import os
import weakref
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from vaesweep.models import Autoencoder, Batch

MEMORY_SHARE = 0.8
"""Of the free memory that a stack may take: there are figures to be drawn, and allocators leave gaps."""


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of all tensors made in the block, on whatever device: at present `now`, at most `most`."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(output):
            if isinstance(tensor, torch.Tensor):
                self.count(tensor.untyped_storage())
        return output

    def count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage.data_ptr(), storage.nbytes()
        if size and key not in self.seen:
            self.seen.add(key)
            self.now += size
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self.release, key, size)

    def release(self, key: int, size: int) -> None:
        self.seen.discard(key)
        self.now -= size


def footprint(member: Autoencoder, batch: Batch) -> int:
    """Bytes that training `member` takes: weights, Adam's two moments, and the most of a step or of a validation.

    Measured by taking either, without an optimizer.
    """
    weights = sum(p.numel() * p.element_size() for p in member.parameters())
    noise = torch.zeros(member.noise_shape(batch), dtype=batch.image.dtype)
    with PeakMemory() as step:
        member.train()(batch, noise).loss.backward()
    member.zero_grad()
    with PeakMemory() as validation, torch.no_grad():
        member.eval().score(batch, noise)
    member.train()
    return 3 * weights + max(step.most, validation.most)


def free_bytes(gpu: int | None = None) -> int:
    """Bytes that this process could still take: of a GPU's memory, or of main memory."""
    if gpu is not None:
        return torch.cuda.mem_get_info(gpu)[0]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    kinds = dict(line.split(":") for line in read_system_file("/proc/meminfo").splitlines())
    available = int(kinds["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in kinds else pages // 2
    # a container's share may be smaller than the machine
    limit, used = read_system_file("/sys/fs/cgroup/memory.max"), read_system_file("/sys/fs/cgroup/memory.current")
    return min(available, int(limit) - int(used)) if limit.isdigit() and used.isdigit() else available


def read_system_file(path: str) -> str:
    """A file of the system's, or nothing where there is none."""
    return Path(path).read_text().strip() if Path(path).is_file() else ""
