import torch

from vaesweep.distributions import DiagonalGaussian, Dirac
from vaesweep.metrics import ActiveUnits, Average, activity


def test_average_weighs_batches_by_their_size():
    metric, values = Average(), torch.randn(10, 2)
    for part in values.split([7, 2, 1]):
        metric.update(part.mean(0), len(part))
    assert torch.allclose(metric.compute(), values.mean(0))


def test_active_units_counts_means_that_vary():
    torch.manual_seed(0)
    means = torch.stack([torch.randn(500), 0.05 * torch.randn(500), 0.2 * torch.randn(500) + 3], dim=1)
    metric = ActiveUnits(3)
    for part in means.split(64):
        metric.update(part)
    assert metric.compute() == (means.double().var(0, correction=0) > 0.01).sum() == 2


def test_activity_is_the_mean_kl_or_the_variance_of_the_codes():
    mean, logvar = torch.randn(50, 4), torch.randn(50, 4)
    assert torch.equal(activity(DiagonalGaussian(mean, logvar)), DiagonalGaussian(mean, logvar).kl().mean(0))
    assert torch.equal(activity(Dirac(mean)), mean.var(0, correction=0))
