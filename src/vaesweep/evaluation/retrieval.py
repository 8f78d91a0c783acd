"""Retrieval: do images with nearby codes share a class?"""

from dataclasses import dataclass

import torch
from sklearn.neighbors import NearestNeighbors

from vaesweep import figures
from vaesweep.checks import ConfigError, check_int
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.result import MeasureResult, NotApplicable, Value

QUERIES, SHOWN = 8, 10


@dataclass(frozen=True)
class Retrieval:
    """Precision at `k`: the share of a test image's class among the `k` of `images` training images nearest in code.

    Distances are Euclidean, between posterior means; the mean is over the test split.
    """

    k: int
    images: int

    def __post_init__(self) -> None:
        check_int("k", self.k)
        if check_int("images", self.images) < self.k:
            raise ConfigError("k", self.k, f"at most images, {self.images}")

    def __call__(self, context: EvalContext) -> MeasureResult:
        if context.declared.conditional:
            raise NotApplicable("the model is given the class, which its codes therefore leave out")
        known, asked = context.codes("train", self.images), context.codes("test")
        (codes, classes), (queries, wanted) = known.numpy(), asked.numpy()
        k = min(self.k, len(codes))
        nearest = NearestNeighbors(n_neighbors=min(max(k, SHOWN), len(codes))).fit(codes)
        found = nearest.kneighbors(queries, return_distance=False)
        right = torch.from_numpy(classes[found] == wanted[:, None])
        labelled = len(set(classes)) > 1
        result = MeasureResult()
        if labelled:
            result.values[f"precision_at_{k}"] = Value(right[:, :k].float().mean().item(), "share of hits")
        else:
            result.absent["precision"] = "the images have no classes"
        rows = torch.arange(min(QUERIES, len(queries)))
        hits = torch.from_numpy(found)[rows, :SHOWN]
        pictures = context.pictures("test", None, rows), context.pictures("train", self.images, hits)
        result.figures = {"retrieval": figures.hits(*pictures, right[rows, :SHOWN] if labelled else None)}
        return result
