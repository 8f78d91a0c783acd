import torch

from vaesweep.metrics import Average, CodeVariance, active_units, activity
from vaesweep.models.distributions import DiagonalGaussian, Dirac


def test_average_weighs_batches_by_their_size():
    metric, values = Average(), torch.randn(10, 2)
    for part in values.split([7, 2, 1]):
        metric.update(part.mean(0), len(part))
    assert torch.allclose(metric.compute(), values.mean(0))


def test_active_units_counts_means_that_vary():
    torch.manual_seed(0)
    means = torch.stack([torch.randn(500), 0.05 * torch.randn(500), 0.2 * torch.randn(500) + 3], dim=1)
    metric = CodeVariance(3)
    for part in means.split(64):
        metric.update(part)
    variance = metric.compute()
    assert torch.allclose(variance, means.double().var(0, correction=0).float(), rtol=1e-4)
    assert active_units(variance) == 2


def test_a_small_variance_far_from_zero_keeps_its_digits():
    means = 100 + 0.1 * torch.randn(1000, 4, generator=torch.Generator().manual_seed(0))
    metric = CodeVariance(4)
    for part in means.split([300, 300, 300, 100]):
        metric.update(part)
    assert torch.allclose(metric.compute(), means.double().var(0, correction=0).float(), rtol=1e-3)


def test_variances_of_several_processes_are_one():
    means, parts = torch.randn(90, 4) + 3, [CodeVariance(4), CodeVariance(4), CodeVariance(4)]
    for metric, rows in zip(parts, means.split([50, 40, 0]), strict=True):
        if len(rows):
            metric.update(rows)
    together = CodeVariance(4)
    for name in ("count", "mean", "squares"):  # as torchmetrics leaves them after a synchronisation
        setattr(together, name, torch.stack([getattr(metric, name) for metric in parts]))
    together._update_count = 1
    assert torch.allclose(together.compute(), means.var(0, correction=0), rtol=1e-5)


def test_units_of_a_point_code_are_held_to_the_largest():
    variance = torch.tensor([1e-6, 5e-7, 1e-9, 0.0])
    assert active_units(variance, variance.max()) == 2
    assert active_units(torch.zeros(3), torch.tensor(0.0)) == 0


def test_activity_is_the_mean_kl_or_the_variance_of_the_codes():
    mean, logvar = torch.randn(50, 4), torch.randn(50, 4)
    assert torch.equal(activity(DiagonalGaussian(mean, logvar)), DiagonalGaussian(mean, logvar).kl().mean(0))
    assert torch.equal(activity(Dirac(mean)), mean.var(0, correction=0))
