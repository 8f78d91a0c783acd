"""Retrieval: do images with nearby codes share a class?"""

from dataclasses import dataclass

import torch
from sklearn.neighbors import NearestNeighbors

from vaesweep import figures
from vaesweep.errors import ConfigError
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value
from vaesweep.settings.check_arguments import check_int

QUERIES, NEIGHBOURS = 8, 10


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
        if context.declaration.conditional:
            raise NotApplicable("the model is given the class, which its codes therefore leave out")
        train_codes, test_codes = context.codes("train", self.images), context.codes("test")
        (codes, classes), (queries, query_classes) = train_codes.numpy(), test_codes.numpy()
        k = min(self.k, len(codes))
        neighbour_search = NearestNeighbors(n_neighbors=min(max(k, NEIGHBOURS), len(codes))).fit(codes)
        neighbours = neighbour_search.kneighbors(queries, return_distance=False)
        is_hit = torch.from_numpy(classes[neighbours] == query_classes[:, None])
        has_classes = len(set(classes)) > 1
        result = MeasureResult()
        if has_classes:
            result.values[f"precision_at_{k}"] = Value(
                is_hit[:, :k].float().mean().item(), "share of nearest images with the same class"
            )
        else:
            result.absent["precision"] = "the images have no classes"
        rows = context.shuffled("queries", len(queries))[:QUERIES].cpu()
        hits = torch.from_numpy(neighbours)[rows, :NEIGHBOURS]
        pictures = context.pictures("test", None, rows), context.pictures("train", self.images, hits)
        result.figures = {
            "retrieval": figures.retrieved_images(*pictures, is_hit[rows, :NEIGHBOURS] if has_classes else None)
        }
        return result
