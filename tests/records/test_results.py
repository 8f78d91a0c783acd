import errno
import json
import math
from dataclasses import fields
from pathlib import Path

import pytest

from vaesweep.models import Declaration
from vaesweep.records.config_hash import config_hash
from vaesweep.records.results import DECLARATION, FIELDS, FILE, Results

RECORD = Results("vae", "digits", 0, ["model=vae"], "abc", {"seed": 0})


def test_the_file_holds_every_field(tmp_path):
    RECORD.write(tmp_path)
    read = json.loads((tmp_path / FILE).read_text())
    fields = "status model data seed overrides config_hash metrics seconds seconds_per_epoch epochs parameters versions"
    assert set(fields.split()) <= set(read)
    assert read["status"] == "failed"  # until somebody says otherwise
    assert {"python", "torch", "lightning", "wandb"} <= set(read["versions"])


def test_what_cannot_be_written_leaves_the_earlier_file(tmp_path, monkeypatch):
    def full(self, text):
        self.write_bytes(text.encode()[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    RECORD.write(tmp_path)
    before = (tmp_path / FILE).read_text()
    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(OSError, match="No space"):
        Results("vae", "digits", 0, [], "abc", {}, metrics={"test/loss": 1.0}).write(tmp_path)
    assert (tmp_path / FILE).read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_numbers_that_json_does_not_have_are_written_as_text_and_read_as_numbers(tmp_path):
    config = {"seed": 10**400, "model": {"beta": math.inf, "betas": [-math.inf, 1.5]}, "path": Path("/here")}
    written = Results("nan", "digits", 0, ["model.beta=inf"], "abc", config, metrics={"test/mse": math.nan})
    written.dimensions = [math.nan, 1.0]
    assert set(written.not_finite()) == {"config.model.beta", "metrics.test/mse", "dimensions.0"}
    written.write(tmp_path)
    kept = json.loads((tmp_path / FILE).read_text(), parse_constant=pytest.fail)
    assert kept["metrics"] == {"test/mse": "nan"}
    assert kept["config"]["model"] == {"beta": "inf", "betas": ["-inf", 1.5]}
    read = Results.read(tmp_path)
    assert math.isnan(read.metrics["test/mse"])
    assert math.isnan(read.dimensions[0])
    assert read.config == config | {"path": "/here"}
    assert (read.model, read.overrides) == ("nan", ["model.beta=inf"])


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


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("seed", -1, "results.json: seed: got -1; allowed: a whole number from 0"),
        ("epochs", -3, "results.json: epochs: got -3"),
        ("status", "done", "results.json: status: got done; allowed: completed | failed | interrupted"),
        ("metrics", {"test/mse": "low"}, "results.json: metrics.test/mse: got low; allowed: a number"),
        ("metrics", {"test/mse": 10**400}, "results.json: metrics.test/mse: got .*a number"),
        ("dimensions", [1.0, [2.0]], r"results.json: dimensions.1: got \[2.0\]"),
        ("config", {"model": {"_target_": 3}}, "results.json: config.model._target_: got 3"),
        ("config", [], r"results.json: config: got \[\]; allowed: a mapping"),
        ("declaration", {"term": {}}, "results.json: declaration.term: got {}; allowed: only the fields terms, rate"),
        ("declaration", {"rate": "kl"}, "results.json: declaration.rate: got kl; allowed: one of the terms"),
        ("reason", "\ud800", "results.json: reason: got .*text in UTF-8"),
        ("config", json.loads('{"a": ' * 60 + "1" + "}" * 60), "results.json is nested too deeply"),
    ],
)
def test_a_wrong_field_is_named(tmp_path, field, value, message):
    RECORD.write(tmp_path)
    kept = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(kept | {field: value}))
    with pytest.raises(ValueError, match=f"^{message}"):
        Results.read(tmp_path)
    assert Results.load_or_none(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cut short or not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\xfe{}", "not text in UTF-8"),
        (b"[]", "not the record of a run"),
        (b"{}", "model is missing"),
    ],
)
def test_a_file_that_is_no_record_is_named(tmp_path, content, message):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ValueError, match=f"^{FILE}.*{message}$"):
        Results.read(tmp_path)


def test_every_field_has_a_check():
    assert set(FIELDS) == {field.name for field in fields(Results)}
    assert set(DECLARATION) == {field.name for field in fields(Declaration)}
