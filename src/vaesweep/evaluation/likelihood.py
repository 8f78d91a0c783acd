"""How likely the test images are."""

from dataclasses import dataclass

import torch

from vaesweep.checks import whole
from vaesweep.distributions import DiagonalGaussian
from vaesweep.evaluation.outcome import Inapplicable, Outcome, Value
from vaesweep.evaluation.subject import Subject
from vaesweep.metrics import Average
from vaesweep.metrics.importance import bits_per_dim, log_mean_exp, log_weights

FLOATS = 2_000_000
"""Numbers that the decoded images of one chunk of samples may take: 8 MB, which a cache may hold."""


@dataclass(frozen=True)
class Likelihood:
    """The bound on -log p(x) from `k` importance samples an image (Burda et al. 2016), beside the negative ELBO.

    Both are means over the test split, from the same samples. Of conditional members it is p(x|y). On grey images a
    Bernoulli likelihood is a cross-entropy; a Gaussian one is a density of values in [0, 1], to which the density of
    values in 0 ... 255 adds log2(255), about 8, bits a dimension.
    """

    k: int

    def __post_init__(self) -> None:
        whole("k", self.k)

    def __call__(self, subject: Subject) -> Outcome:
        if not subject.has_posterior:
            raise Inapplicable("a point code has no posterior density")
        mean = Average()
        rows = max(1, min(self.k, FLOATS // (subject.data.batch_size * subject.pixels)))
        chunks = [min(rows, self.k - start) for start in range(0, self.k, rows)]
        for i, batch in enumerate(subject.batches("test")):
            posterior = subject.member.posterior(batch.image, batch.label)
            assert isinstance(posterior, DiagonalGaussian)
            source, parts, total = subject.draw("nll", i), [], torch.zeros(len(batch.image), device=subject.device)
            for samples in subject.track(chunks, len(chunks)):
                shape = (samples, *posterior.mean.shape)
                noise = torch.randn(shape, generator=source, device=subject.device)
                weights = log_weights(subject.member, batch, posterior, noise)
                parts.append(weights.logsumexp(0))
                total += weights.sum(0)
            scores = torch.stack([-total / self.k, -log_mean_exp(parts, self.k)])
            mean.update(scores.mean(1).cpu(), len(batch.image))
        nelbo, nll = mean.compute().tolist()
        images = "nats per image"
        return Outcome(
            {
                "nelbo": Value(nelbo, images),
                "nll": Value(nll, f"{images}, k = {self.k}"),
                "gap": Value(nelbo - nll, images),
                "bits_per_dim": Value(bits_per_dim(nll, subject.pixels), "bits per dimension"),
            }
        )
