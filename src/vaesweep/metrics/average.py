"""The mean of a vector over images, whatever the batch sizes."""

import torch
from torch import Tensor
from torchmetrics import Metric


class Average(Metric):
    """Mean sum_b n_b x_b / sum_b n_b over batches b of n_b images and over processes; x_b [..., k] is a batch mean."""

    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        # a scalar until the first batch gives the vector's length
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(()), dist_reduce_fx="sum")

    def update(self, x: Tensor, n: int) -> None:
        self.total = self.total + x * n
        self.count = self.count + n

    def compute(self) -> Tensor:
        return self.total / self.count
