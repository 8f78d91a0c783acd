"""What a posterior looks like, image by image and in the aggregate."""

from dataclasses import dataclass

import torch

from vaesweep import figures
from vaesweep.evaluation.outcome import Inapplicable, Outcome, Value
from vaesweep.evaluation.subject import Subject

SHOWN = 8


@dataclass(frozen=True)
class Posterior:
    """Posterior widths sigma, and the spread of the aggregate posterior, over the test split; the prior's is 1."""

    def __call__(self, subject: Subject) -> Outcome:
        if not subject.has_posterior:
            raise Inapplicable("a point code has no width")
        posterior = subject.posterior("test")
        noise = torch.randn(posterior.mean.shape, generator=subject.draw("posterior"), device=subject.device)
        z, kl = posterior.sample(noise), posterior.kl().mean(0)
        first = kl.argsort(descending=True)[:SHOWN].tolist()
        return Outcome(
            {
                "width": Value(posterior.sigma.mean().item(), "mean sigma"),
                "aggregate_spread": Value(z.std(0, correction=0).mean().item(), "mean standard deviation"),
            },
            series={"sigma_per_dimension": posterior.sigma.mean(0).tolist()},
            figures={
                "posterior": figures.posterior(posterior.mean, posterior.sigma, kl),
                "aggregate": figures.aggregate(z, first),
            },
        )
