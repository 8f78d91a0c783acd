"""Members of a stack whose folders were moved before they go on."""

import pytest
import torch
from omegaconf import OmegaConf

from support.interruption import interrupted_at
from vaesweep.records.results import Results
from vaesweep.stacking.train_and_test import run_stack
from vaesweep.training.planned_run import PlannedRun

pytestmark = pytest.mark.slow

SMALL = ["model=beta_vae", "network.hidden=[32]", "trainer.max_epochs=3", "test_checkpoint=best"]


@pytest.fixture
def jobs(config, tmp_path):
    """Two jobs as a launcher makes them, in a study of a given name."""

    def make(study, *overrides):
        made = []
        for seed in ("seed=0", "seed=1"):
            composed = config(*SMALL, seed, *overrides, folder=tmp_path / study / seed[-1])
            OmegaConf.resolve(composed)
            made.append(PlannedRun(composed, tmp_path / study / seed[-1], Results.from_config(composed, [seed])))
        return made

    return make


def test_the_best_weights_are_known_after_the_folders_were_moved(jobs, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupted_at(45, patch)
        with pytest.raises(SystemExit, match="143"):
            run_stack(jobs("here"))
    for file in (tmp_path / "here").glob("*/checkpoints/last.ckpt"):
        checkpoint = torch.load(file, weights_only=True)
        for state in checkpoint["callbacks"].values():
            if state.get("monitor"):
                state["best_model_score"] = torch.tensor(-1e9)  # no later epoch can be better
                state["best_k_models"] = dict.fromkeys(state["best_k_models"], state["best_model_score"])
        torch.save(checkpoint, file)
    (tmp_path / "here").rename(tmp_path / "there")
    best = {file: file.read_bytes() for file in (tmp_path / "there").glob("*/checkpoints/best.ckpt")}
    resumed = jobs("there", "resume=true")
    run_stack(resumed)
    assert {job.results.status for job in resumed} == {"completed"}
    assert len(best) == 2
    assert all(file.read_bytes() == content for file, content in best.items())
