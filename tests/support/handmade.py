"""Runs whose records are written by hand."""

import pandas as pd
import torch

from vaesweep.metrics import standard_error
from vaesweep.records.per_image_scores import write_image_scores
from vaesweep.records.results import Results

UNITS = {"sparsity": "nats", "contraction": "squared norm of dz/dx"}


def leave(
    folder, model="beta_vae", seed=0, status="completed", reason=None, train=None, metrics=None, data="digits",
    val=None, images=None, **knobs
):  # fmt: skip
    """The record of a run in `folder`, as a run would leave it; `images` are scores [N] of the test images."""
    schedule = {"schedule": {"_target_": "vaesweep.models.schedules.Constant"}} if "vae" in model else {}
    settings = {"latent_dim": 4, **schedule}
    config = {"model": settings | knobs, "seed": seed, "data": {"seed": 0}, "choices": {"model": model, "data": data}}
    config["data"]["_target_"] = f"vaesweep.data.{data.title()}"
    kept = {f"test/{name}": value for name, value in (metrics or {}).items()}
    kept |= {f"val/{name}": value for name, value in (val or {}).items()}
    folder.mkdir(parents=True)
    name = f"{model}{data}{knobs}{seed}"
    declaration = {"terms": {name: UNITS[name] for name in metrics or {} if name in UNITS}}
    if "vae" in model:
        capacity = knobs.get("schedule", {}).get("C")
        plain = capacity is None and not knobs.get("free_bits")
        declaration = {
            "terms": {"kl": "nats per image"}, "rate": "kl", "rate_weight": "beta" if plain else None,
            "rate_target": capacity,
        }  # fmt: skip
    record = Results(model, data, seed, [], name, config, status, reason, kept, seconds=2.0 + seed)
    record.dimensions = [1 / (i + 1) for i in range((settings | knobs)["latent_dim"])]
    record.declaration = declaration
    if declaration.get("rate_weight"):
        record.rate_weight = knobs.get("beta", 1)
    if images:
        scores = {name: torch.tensor(values) for name, values in images.items()}
        write_image_scores(folder, scores)
        record.errors = {f"test/{name}": standard_error(values) for name, values in scores.items()}
    record.write(folder)
    pd.DataFrame({"epoch": [1, 2]} | {f"train/{k}": [v + 9, v] for k, v in (train or {}).items()}).to_csv(
        folder / "history.csv", index=False
    )


def rates(kl, distortion, active=4):
    return {
        "kl": kl, "distortion": distortion, "nelbo": kl + distortion, "loss": 0.0, "mse": 0.01, "active_units": active,
    }  # fmt: skip
