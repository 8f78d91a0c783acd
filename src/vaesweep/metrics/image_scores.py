"""The scores of every image of a split, in the order of the split."""

import torch
from torch import Tensor
from torchmetrics import Metric


class ImageScores(Metric):
    """Rows of k scores [N, k] of the images of a split, from batches that several processes took in any order."""

    batches: Tensor
    scores: Tensor

    def __init__(self) -> None:
        super().__init__()
        # flat, so that a process without images has a tensor of as many axes to give to the others
        self.add_state("batches", torch.zeros(0, dtype=torch.long), dist_reduce_fx="cat")
        self.add_state("scores", torch.zeros(0), dist_reduce_fx="cat")

    def update(self, scores: Tensor, number: int) -> None:
        """Scores [B, k] of the images of batch `number` of the split."""
        self.batches = torch.cat([self.batches, self.batches.new_full((len(scores),), number)])
        self.scores = torch.cat([self.scores, scores.float().flatten()])

    def compute(self) -> Tensor:
        return self.scores.view(len(self.batches), -1)[self.batches.argsort(stable=True)]


def standard_error(values: Tensor) -> float:
    """Standard error of the mean of `values` [N], sqrt(sum_i (x_i - mean)^2 / (N - 1) / N)."""
    return (values.double().std() / len(values) ** 0.5).item()
