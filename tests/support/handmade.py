"""Runs whose records are written by hand."""

import pandas as pd
import torch

from vaesweep.metrics import standard_error
from vaesweep.records.evaluation_record import EvaluationRecord
from vaesweep.records.per_image_scores import write_image_scores
from vaesweep.records.results import Results

UNITS = {"sparsity": "nats", "contraction": "squared norm of dz/dx"}


def leave(
    folder, model="beta_vae", seed=0, status="completed", reason=None, train=None, metrics=None, data="digits",
    val=None, images=None, curve=None, **knobs
):  # fmt: skip
    """The record of a run in `folder`, as a run would leave it; `images` are scores [N] of the test images.

    `curve` are the series of a rate-distortion curve that was measured.
    """
    schedule = {"schedule": {"_target_": "vaesweep.models.schedules.Constant"}} if "vae" in model else {}
    settings = {"latent_dim": 4, **schedule}
    config = {"model": settings | knobs, "seed": seed, "data": {"seed": 0}, "choices": {"model": model, "data": data}}
    config["data"]["_target_"] = f"vaesweep.data.{data.title()}"
    kept = {f"test/{name}": value for name, value in (metrics or {}).items()}
    kept |= {f"val/{name}": value for name, value in (val or {}).items()}
    folder.mkdir(parents=True)
    name = f"{model}{data}{knobs}{seed}"
    declaration = {"terms": {name: UNITS[name] for name in metrics or {} if name in UNITS}}
    if "vae" in model or model == "multi_rate":
        capacity = knobs.get("schedule", {}).get("C")
        plain = capacity is None and not knobs.get("free_bits")
        declaration = {
            "terms": {"kl": "nats per image"}, "rate": "kl", "rate_weight": "beta" if plain else None,
            "rate_target": capacity, "rate_weight_range": [0.1, 20.0] if model == "multi_rate" else None,
        }  # fmt: skip
    overrides = [f"model.{key}={value}" for key, value in knobs.items()]
    record = Results(model, data, seed, overrides, name, config, status, reason, kept, seconds=2.0 + seed)
    record.dimensions = [1 / (i + 1) for i in range((settings | knobs)["latent_dim"])]
    record.declaration = declaration
    if declaration.get("rate_weight"):
        record.rate_weight = knobs.get("beta", 1)
    if images:
        scores = {name: torch.tensor(values) for name, values in images.items()}
        write_image_scores(folder, scores)
        record.errors = {f"test/{name}": standard_error(values) for name, values in scores.items()}
    record.write(folder)
    if curve:
        leave_curve(folder, name, curve)
    pd.DataFrame({"epoch": [1, 2]} | {f"train/{k}": [v + 9, v] for k, v in (train or {}).items()}).to_csv(
        folder / "history.csv", index=False
    )


def leave_curve(folder, name, series):
    """The evaluation of the run `name` in `folder`, of its rate-distortion curve."""
    values = {"lowest_nelbo": {"value": 25.0, "unit": "nats per image"}}
    entry = {"settings": {"weights": len(series["beta"])}, "values": values, "series": series, "remarks": {}}
    found = {"rate_distortion_curve": entry | {"figures": [], "seconds": 0.1}}
    EvaluationRecord(name, "last", 0, measures=found).write(folder)


def rates(kl, distortion, active=4):
    return {
        "kl": kl, "distortion": distortion, "nelbo": kl + distortion, "loss": 0.0, "mse": 0.01, "active_units": active,
    }  # fmt: skip
