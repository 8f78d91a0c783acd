"""The FactorVAE disentanglement score."""

import torch
from torch import Tensor

from vaesweep.metrics.check_finite_codes import check_finite
from vaesweep.metrics.factors import rows_that_share, varying_factors

MIN_VARIANCE_SHARE = 1e-4


def factor_vae_score(
    codes: Tensor, factors: Tensor, source: torch.Generator, batch: int = 64, votes: int = 800
) -> float:
    """Accuracy of predicting which factor `batch` images share, from the dimension that varies least among them.

    Kim & Mnih 2018, sec. 4: j* = argmin_j Var(z_j over the batch) / Var(z_j over all N images), and a majority vote
    maps j* to a factor. The vote is learnt from `votes` batches and tested on as many new ones; all factors have equal
    numbers of them, so chance is 1/F. `codes` [N, d] and `factors` [N, F], on the CPU; factors that do not vary are
    left out. Raises `ValueError` as `check_finite` and `varying_factors` do.

    A dimension with at most `MIN_VARIANCE_SHARE` of the variance of the widest does not vote: a dimension that is
    constant except in a few images would win nearly every batch. If all are constant every batch votes alike, and the
    score is chance, as for a single dimension.
    """
    factors = factors[:, varying_factors(factors)]
    codes = check_finite(codes)
    variance = codes.var(0)
    factor_index = torch.arange(2 * votes) % factors.shape[1]
    rows = rows_that_share(factors, factor_index, batch, source)
    # in parts, as all the codes at once may be large
    ratio = torch.cat([codes[part].var(1) for part in rows.split(200)]) / variance
    vote = ratio.masked_fill(variance <= MIN_VARIANCE_SHARE * variance.max(), torch.inf).argmin(1)
    shape = codes.shape[1], factors.shape[1]
    counts = (vote * shape[1] + factor_index)[:votes].bincount(minlength=shape[0] * shape[1]).view(shape)
    return (counts.argmax(1)[vote[votes:]] == factor_index[votes:]).double().mean().item()
