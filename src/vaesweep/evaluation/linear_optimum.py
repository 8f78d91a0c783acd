"""Distance of a linear VAE from its exact optimum."""

from dataclasses import dataclass

import torch
from torch import nn

from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value
from vaesweep.metrics import Average
from vaesweep.metrics.linear_optimum import optimum, optimum_with_learned_sigma, spectrum
from vaesweep.models import Autoencoder
from vaesweep.models.distributions import DiagonalGaussian, Gaussian

AFFINE = (nn.Linear, nn.Flatten, nn.Unflatten, nn.Identity)
"""Modules without weights of their own, or with affine ones."""
CURVE = [2.0 ** (i / 4) for i in range(-16, 25)]
"""Betas of the exact curve, from 1/16 to 64."""
NATS = "nats per image"


@dataclass(frozen=True)
class LinearOptimum:
    """Distortion and rate on the training images, and their optimum, which is exact for a linear Gaussian VAE.

    The optimum is reverse water-filling over the eigenvalues of the images' covariance, for a learned sigma at beta = 1
    that of probabilistic PCA. The expectation over the posterior is exact as well. The series are the exact curve.
    """

    def __call__(self, context: EvalContext) -> MeasureResult:
        model, beta = context.model, context.results.rate_weight
        if beta is None or not is_linear(model):
            raise NotApplicable("the optimum is known for distortion + beta * rate with a linear network alone")
        if not isinstance(model.likelihood, Gaussian):
            raise NotApplicable("the optimum is known for a Gaussian likelihood alone")
        learned = model.likelihood.log_sigma.requires_grad
        if learned and beta != 1:
            raise NotApplicable("with a learned sigma the optimum is known at beta = 1 alone")
        images = torch.cat([batch.image for batch in context.batches("train")]).cpu()
        eigenvalues = spectrum(images)
        sigma = model.likelihood.log_sigma.exp().item()
        if learned:
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
    modules = [*model.encoder.modules(), *model.decoder.modules()]
    leaves = [module for module in modules if not list(module.children())]
    return not model.declaration.conditional and all(isinstance(leaf, AFFINE) for leaf in leaves)


def exact_terms(context: EvalContext) -> tuple[float, float]:
    """Distortion and rate over the training images, their expectation over an affine decoder's codes in closed form.

    E|x - W z - b|^2 = |x - W mean - b|^2 + sum_j sigma_j^2 |W_j|^2.
    """
    model, terms = context.model, Average()
    assert isinstance(model.likelihood, Gaussian)
    label = torch.zeros(model.latent_dim + 1, 1, dtype=torch.int64, device=context.device)
    codes = torch.cat([torch.zeros(1, model.latent_dim), torch.eye(model.latent_dim)]).to(context.device)
    bias, *columns = model.decode(codes, label)
    lengths = (torch.stack(columns) - bias).square().flatten(1).sum(1)
    precision = (-2 * model.likelihood.log_sigma).exp()
    for batch in context.batches("train"):
        posterior = model.posterior(*batch)
        assert isinstance(posterior, DiagonalGaussian)
        spread = (posterior.sigma.square() * lengths).sum(1) * precision / 2
        distortion = model.likelihood.nll(model.decode(posterior.mean, batch.label), batch.image) + spread
        terms.update(torch.stack([distortion.mean(), posterior.kl().sum(1).mean()]).cpu(), len(batch.image))
    distortion, rate = terms.compute().tolist()
    return distortion, rate
