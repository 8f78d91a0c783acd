"""Training of a linear Gaussian VAE without noise, until nothing moves."""

import torch

from vaesweep.models import Batch


def with_equal_moments(images):
    """Images [2 P, ...] of P pixels with the mean and covariance of `images`: all that a linear model sees of them."""
    x = images.flatten(1)
    values, vectors = torch.linalg.eigh(torch.cov(x.T, correction=0))
    axes = (vectors * values.clamp(min=0).sqrt()).T * x.shape[1] ** 0.5
    return (x.mean(0) + torch.cat([axes, -axes])).view(-1, *images.shape[1:])


def train_exactly(made, images, labels, iterations):
    """Minimises the loss of a linear VAE in float64 over `images` [N, ...]; batch and noise that it was minimised for.

    The loss is quadratic in the noise, so that the 2 d points +-sqrt(d) e_j give its expectation exactly.
    """
    d = made.latent_dim
    points = d**0.5 * torch.cat([torch.eye(d), -torch.eye(d)]).double()
    noise = points.repeat_interleave(len(images), dim=0)
    data = Batch(images.repeat(2 * d, 1, 1, 1), labels.repeat(2 * d, 1))
    minimise_exactly(made, data, noise, iterations)
    return data, noise


def minimise_exactly(made, data, noise, iterations):
    """Minimises the loss on one batch with its noise by L-BFGS."""
    optimizer = torch.optim.LBFGS(
        made.parameters(), max_iter=iterations, history_size=30, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        loss = made(data, noise).loss
        loss.backward()
        return loss

    optimizer.step(closure)
