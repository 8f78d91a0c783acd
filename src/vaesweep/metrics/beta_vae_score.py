"""The BetaVAE disentanglement score."""

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from vaesweep.metrics.check_finite_codes import check_finite
from vaesweep.metrics.factors import rows_that_share, varying_factors

STEPS = 2000


def beta_vae_score(
    codes: Tensor, factors: Tensor, source: torch.Generator, batch: int = 64, points: int = 2000
) -> float:
    """Accuracy of predicting which factor pairs of images share, from the differences of their codes.

    Higgins et al. 2017, sec. 3: a point is 1/B sum_b |z_b1 - z_b2| [d] over `batch` pairs, the two images of a pair
    equal in factor k. A linear classifier (logistic regression on standardised points, so that the scale of a dimension
    does not matter) predicts k. It is fitted to `points` points and tested on as many new ones; all factors have equal
    numbers of them, so chance is 1/F. `codes` [N, d] and `factors` [N, F], on the CPU; factors that do not vary are
    left out. Raises `ValueError` as `check_finite` and `varying_factors` do.
    """
    factors = factors[:, varying_factors(factors)]
    codes = check_finite(codes)
    if factors.shape[1] == 1:
        # scikit-learn fits no classifier to one class, and its accuracy would be 1
        return 1.0
    factor_index = torch.arange(2 * points) % factors.shape[1]
    pairs = rows_that_share(factors, factor_index.repeat_interleave(batch), 2, source).view(-1, batch, 2)
    # in parts, as all the codes at once may be large
    differences = [(codes[part[..., 0]] - codes[part[..., 1]]).abs().mean(1) for part in pairs.split(200)]
    x, y = torch.cat(differences).numpy(), factor_index.numpy()
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=STEPS)).fit(x[:points], y[:points])
    return float(linear.score(x[points:], y[points:]))
