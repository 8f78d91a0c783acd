"""The benchmarks run. What they measure is for no test."""

import importlib.util
import re
import sys

import pytest

from support.paths import ROOT


@pytest.mark.slow
@pytest.mark.nightly
def test_the_benchmark_of_an_epoch_writes_its_table(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("epoch", ROOT / "tests" / "benchmarks" / "epoch.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "epoch", module)
    spec.loader.exec_module(module)
    options = ["--data", "digits", "--epochs", "1", "--turns", "1", "--long-turns", "0"]
    monkeypatch.setattr(sys, "argv", ["epoch.py", *options, "--out", str(tmp_path / "epoch.md")])
    monkeypatch.setenv("WANDB_MODE", "disabled")
    ours = module.ours
    monkeypatch.setattr(module, "ours", lambda name, *overrides: ours(name, module.FIGURES, *overrides))
    module.main()
    table = (tmp_path / "epoch.md").read_text()
    for name in ("ours", "bare", "stock Lightning"):
        assert re.search(rf"^\| {name} \| [\d.e-]+ \| [\d.]+ x \|$", table, re.M)
    assert re.search(r"the bare loop's products are at \d+% of \d+ GFLOP/s", table)
