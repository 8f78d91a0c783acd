"""Whether a run's loss was still falling when its training ended."""

import numpy as np
import pandas as pd
from scipy.special import stdtrit

CONFIDENCE = 0.999
"""One-sided, that a gain is above zero; high, as the errors of neighbouring epochs are not independent."""


def further_gain(history: pd.DataFrame) -> float:
    """Nats by which the validation loss would still fall in as many epochs again; 0 where none can be told from noise.

    Over the second half of training the loss is fitted by a + b lr + c lr^2 + d t, with t the sum of the learning rates
    so far: what falls with the rate, as under one-cycle, is noise that ends with training, and what falls with t is
    progress that goes on. The gain is -d t at the end, as if progress did not slow down.
    """
    if not {"lr", "val/loss"} <= set(history):
        return 0.0
    time = history.lr.cumsum()
    rows = history.assign(time=time).dropna(subset=["lr", "val/loss"])
    rows = rows[rows.epoch > history.epoch.max() / 2]
    if rows.empty or not rows.time.iloc[-1] > 0:
        return 0.0
    rate = rows.lr / rows.lr.max()
    columns = [np.ones(len(rows)), rows.time / rows.time.iloc[-1], rate, rate**2]
    design = np.column_stack(columns[: 4 if rate.min() < 0.99 else 2])
    freedom = len(rows) - design.shape[1]
    if freedom < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        return 0.0
    loss = rows["val/loss"].to_numpy()
    fit = np.linalg.lstsq(design, loss, rcond=None)[0]
    variance = ((loss - design @ fit) ** 2).sum() / freedom * np.linalg.inv(design.T @ design)
    gain = -fit[1]
    return float(gain) if gain > stdtrit(freedom, CONFIDENCE) * np.sqrt(variance[1, 1]) else 0.0
