import json

import pytest

from vaesweep.records.config_hash import config_hash
from vaesweep.records.results import FILE, Results

RECORD = Results("vae", "digits", 0, ["model=vae"], "abc", {"seed": 0})


def test_the_file_holds_every_field(tmp_path):
    RECORD.write(tmp_path)
    read = json.loads((tmp_path / FILE).read_text())
    fields = "status model data seed overrides config_hash metrics seconds seconds_per_epoch epochs parameters versions"
    assert set(fields.split()) <= set(read)
    assert read["status"] == "failed"  # until somebody says otherwise
    assert {"python", "torch", "lightning", "wandb"} <= set(read["versions"])


def test_what_cannot_be_written_leaves_the_earlier_file(tmp_path):
    RECORD.write(tmp_path)
    before = (tmp_path / FILE).read_text()
    broken = Results("vae", "digits", 0, [], "abc", {}, metrics={"test/loss": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        broken.write(tmp_path)
    assert (tmp_path / FILE).read_text() == before


def test_the_hash_sees_what_changes_results_and_nothing_else():
    base = {"model": {"beta": 1.0}, "seed": 0, "folder": "a", "logger": {"mode": "offline"}, "resume": False}
    assert config_hash(base) == config_hash(base | {"folder": "b", "logger": {"mode": "online"}, "resume": True})
    assert config_hash(base) == config_hash(dict(reversed(base.items())))
    two = base | {"trainer": {"devices": 2, "max_epochs": 3}}
    assert config_hash(two) == config_hash(base | {"trainer": {"devices": 1, "max_epochs": 3}})
    assert config_hash(two) != config_hash(base | {"trainer": {"devices": 2, "max_epochs": 4}})
    assert config_hash(base) != config_hash(base | {"seed": 1})
    assert config_hash(base) != config_hash(base | {"model": {"beta": 2.0}})


def test_what_stops_a_run_or_chooses_its_weights_is_part_of_its_name():
    best = {"monitor": "val/loss", "dirpath": "a"}
    base = {"callbacks": {"progress": {"x": 1}, "best": best}}
    same = {"callbacks": {"progress": {"x": 2}, "best": best | {"dirpath": "b"}, "figures": {}}}
    assert config_hash(base) == config_hash(same)
    assert config_hash(base) != config_hash({"callbacks": {"best": best | {"monitor": "val/mse"}}})
    assert config_hash(base) != config_hash({"callbacks": {"best": best, "stop": {"patience": 3}}})
    assert config_hash({"beta": 4}) == config_hash({"beta": 4.0}) != config_hash({"beta": 4.5})
