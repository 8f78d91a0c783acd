"""A model: an InfoVAE, whose loss adds the maximum mean discrepancy between codes and prior (Zhao et al. 2019)."""

from dataclasses import replace

import torch

from vaesweep.models import VAE


def kernel(x, y):
    """Mean Gaussian kernel between the rows of `x` and `y`, of width sqrt(d)."""
    distance = (x[:, None] - y).square().sum(-1)
    return (-distance / x.shape[1]).exp().mean()


class InfoVAE(VAE):
    """loss = distortion + beta * KL + weight * MMD."""

    def __init__(self, network, spec, latent_dim, likelihood, schedule, beta, weight):
        super().__init__(network, spec, latent_dim, likelihood, schedule, beta)
        self.register_buffer("weight", torch.tensor(float(weight)))

    @property
    def declaration(self):
        """The KL is the rate; the discrepancy is one more term."""
        plain = super().declaration
        return replace(plain, terms={**plain.terms, "mmd": "no unit"}, rate_weight=None if self.weight else "beta")

    def batch_means(self, posterior, seen, label, noise):
        """The KL of each dimension, then the discrepancy."""
        kl = super().batch_means(posterior, seen, label, noise)
        z, prior = posterior.sample(noise), noise.flip(1)
        mmd = kernel(z, z) + kernel(prior, prior) - 2 * kernel(z, prior)
        return torch.cat([kl, mmd[None]])

    def penalties(self, means):
        """KL and discrepancy, and what the loss adds for them."""
        kl, weighted = super().penalties(means[:-1])
        return torch.cat([kl, means[-1:]]), weighted + self.weight * means[-1]

    def dimensions(self, means, variance):
        """The KL of each dimension."""
        return means[:-1]
