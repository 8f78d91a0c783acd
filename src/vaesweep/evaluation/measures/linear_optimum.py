"""Distance of a linear VAE from its exact optimum."""

from dataclasses import dataclass

import torch
from torch import nn

from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value
from vaesweep.metrics import Average
from vaesweep.metrics.linear_optimum import optimum, optimum_with_learned_sigma, spectrum
from vaesweep.models import Autoencoder
from vaesweep.models.analytic_distortion import expected_nll, has_affine_decoder, is_affine
from vaesweep.models.distributions import DiagonalGaussian, Gaussian

CURVE = [2.0 ** (i / 4) for i in range(-16, 25)]
"""Betas of the exact curve, from 1/16 to 64."""
NATS = "nats per image"
ROUNDING = 1e-12
"""Share of the variance of the images that rounding leaves in directions in which they do not vary."""


@dataclass(frozen=True)
class LinearOptimum:
    """Distortion and rate on the training images, and their optimum, which is exact for a linear Gaussian VAE.

    The optimum is reverse water-filling over the eigenvalues of the images' covariance, for a learned sigma at beta = 1
    that of probabilistic PCA. The expectation over the posterior is exact as well. The series are the exact curve.
    """

    def __call__(self, context: EvalContext) -> MeasureResult:
        model, weight = context.model, context.declaration.rate_weight
        if weight is None or not is_linear(model):
            raise NotApplicable("the optimum is known for distortion + beta * rate with a linear network alone")
        if not isinstance(model.likelihood, Gaussian):
            raise NotApplicable("the optimum is known for a Gaussian likelihood alone")
        beta = getattr(model, weight).item()
        learned = isinstance(model.likelihood.log_sigma, nn.Parameter)
        if learned and beta != 1:
            raise NotApplicable("with a learned sigma the optimum is known at beta = 1 alone")
        images = torch.cat([batch.image for batch in context.batches("train")]).cpu()
        eigenvalues = spectrum(images)
        sigma = model.likelihood.log_sigma.exp().item()
        if learned:
            if eigenvalues[model.latent_dim :].sum() <= ROUNDING * eigenvalues.sum():
                raise NotApplicable("the likelihood has no maximum: the code has all dimensions of the images")
            best = optimum_with_learned_sigma(eigenvalues, model.latent_dim)
        else:
            best = optimum(eigenvalues, model.latent_dim, beta, sigma)
        distortion, rate = exact_terms(context)
        curve = [optimum(eigenvalues, model.latent_dim, b, best.sigma) for b in CURVE]
        return MeasureResult(
            {
                "excess": Value(distortion + beta * rate - best.loss, f"{NATS}, of the loss over the optimum"),
                "distortion": Value(distortion, f"{NATS}, training images"),
                "optimal_distortion": Value(best.distortion, f"{NATS}, training images"),
                "rate": Value(rate, f"{NATS}, training images"),
                "optimal_rate": Value(best.rate, f"{NATS}, training images"),
            },
            series={
                "beta": CURVE,
                "distortion": [point.distortion for point in curve],
                "rate": [point.rate for point in curve],
            },
        )


def is_linear(model: Autoencoder) -> bool:
    """Whether encoder and decoder are affine functions, of the image and the code alone."""
    return not model.declaration.conditional and is_affine(model.encoder) and has_affine_decoder(model)


def exact_terms(context: EvalContext) -> tuple[float, float]:
    """Distortion and rate over the training images, their expectation over the codes in closed form."""
    model, terms = context.model, Average()
    for batch in context.batches("train"):
        posterior = model.posterior(*batch)
        assert isinstance(posterior, DiagonalGaussian)
        means = [expected_nll(model, posterior, *batch).mean(), posterior.kl().sum(1).mean()]
        terms.update(torch.stack(means).cpu(), len(batch.image))
    distortion, rate = terms.compute().tolist()
    return distortion, rate
