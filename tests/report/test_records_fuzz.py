"""Damaged records: one bad record costs that record, or a part of it, and is said in one line.

`make fuzz` draws more examples than the suite; VAESWEEP_FUZZ is their number.
"""

import json
import os
import re
import shutil
from collections import Counter

import matplotlib.image
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console

from support.handmade import leave, rates
from vaesweep.records.evaluation_record import FILE as EVALUATION
from vaesweep.records.evaluation_record import EvaluationRecord
from vaesweep.records.results import FILE
from vaesweep.report.read_run import EXAMPLES, HISTORY
from vaesweep.report.report import page, report
from vaesweep.report.run_collection import read
from vaesweep.report.terminal_tables import table_of_settings

DRAWS = int(os.environ.get("VAESWEEP_FUZZ", "12"))
ODD = (
    None, True, False, 0, 1, -1, 2, 3.5, -0.5, 1e-320, 5e-324, 1e38, 3e38, -3e38, 1e39, 1e308, -1e308, 2**31, 2**63,
    2**64, 10**400, float("nan"), float("inf"), float("-inf"), "nan", "inf", "-inf", "", " ", "abc", "kl", "beta",
    "a\nb", "\x00", "\x1b[31m", "\ud800", "x" * 3000, "../../x", "a/b", "日本", "<b>", "1", "completed", "failed",
    [], [1], [1, "a"], [None], ["nan"], [[1]], [{}], [1.0] * 1000, {}, {"a": 1}, {"kl": "nats"}, {"a": {"b": [1]}},
    {"": ""}, {"nope": None}, {"seed": "nats"}, {"_target_": 3},
)  # fmt: skip
"""Values for a field."""
NAMES = (
    "nope",
    "",
    "a.b",
    "train/a/b",
    "seed",
    "penalty",
    "value",
    "rate",
    "setting",
    "_target_",
    "a\nb",
    "\ud800",
    "ü",
)
"""Names for a field that is added."""
CELLS = ("", "abc", "nan", "inf", "-inf", "-1", "0", "1.5", "1e400", "1e38", "9" * 400, "0x10", "1,2", '"', "\x00", "é")
"""Texts for a cell of a table."""
COUNTS: Counter[str] = Counter()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Five good runs, each with a record of its measures, a history and pictures."""
    folder = tmp_path_factory.mktemp("records") / "study"
    for name, beta, seed in (("a", 1, 0), ("b", 1, 1), ("c", 4, 0)):
        train = {"loss": 30.0, "nelbo": 30.0, "distortion": 20.0, "kl": 8.0}
        leave(folder / name, "vae", seed, beta=beta, metrics=rates(8 / beta + seed / 9, 20.0 + beta), train=train)
    leave(folder / "d", "sparse", lam=2, metrics={"distortion": 19.0, "mse": 0.02, "sparsity": 3.0, "active_units": 4})
    leave(folder / "e", "multi_rate", metrics=rates(8.2, 20.5))
    for run in folder.iterdir():
        measure(run)
        (run / EXAMPLES).mkdir()
        for strip in ("originals", "reconstructions"):
            matplotlib.image.imsave(run / EXAMPLES / f"{strip}.png", np.full((8, 80), 0.5), cmap="gray")
    return folder


def measure(folder):
    """The evaluation of the run in `folder`, of measures that are drawn; one was trained for a range of betas."""
    score = {"value": 0.5, "unit": "0 to 1"}
    entry = {
        "settings": {"images": 9},
        "values": {},
        "series": {},
        "remarks": {},
        "absent": {},
        "figures": ["a.png"],
        "seconds": 0.1,
    }
    noise = {"settings": {"corruptions": ["masking"]}, "series": {"level": [0.0, 0.5], "masking": [20.0, None]}}
    exact = dict.fromkeys(("rate", "optimal_rate", "distortion", "optimal_distortion", "excess"), score)
    curve = {"beta": [1.0, 2.0], "rate": [3.0, 2.0], "distortion": [4.0, 5.0]}
    measures = {
        "disentanglement": entry | {"values": {"mig": score}, "absent": {"sap": "too few images"}},
        "noise_robustness": entry | noise, "linear_optimum": entry | {"values": exact, "series": curve},
    }  # fmt: skip
    record = json.loads((folder / FILE).read_text())
    if record["model"] == "multi_rate":
        whole = {"beta": [0.1, 1.0, 4.0, 20.0], "rate": [20.0, 8.2, 1.9, 0.1], "distortion": [12.0, 20.5, 25.0, 50.0]}
        series = {"series": whole | {"error": [0.2, 0.2, 0.3, 0.4]}}
        measures["rate_distortion_curve"] = entry | {"values": {"lowest_nelbo": score}} | series
    name = record["config_hash"]
    EvaluationRecord(name, "last", 0, measures=measures).write(folder)


def paths(tree, path=()):
    """The path of every value in a tree of JSON."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, value in pairs:
        yield (*path, name)
        yield from paths(value, (*path, name))


def edit_tree(draw, text):
    """The text of a record with an odd value in one of its fields, without a field, or with another."""
    tree = json.loads(text)
    path = draw(st.sampled_from(list(paths(tree))), label="field")
    parent = tree
    for name in path[:-1]:
        parent = parent[name]
    edit = draw(st.sampled_from(["replace"] * 6 + ["delete", "add", "deep"]), label="edit")
    if edit == "delete":
        del parent[path[-1]]
    elif edit == "add" and isinstance(parent, dict):
        parent[draw(st.sampled_from(NAMES), label="name")] = draw(st.sampled_from(ODD), label="value")
    elif edit == "deep":
        depth = draw(st.sampled_from([20, 60, 300, 5000]), label="depth")
        parent[path[-1]] = "DEEP"
        return json.dumps(tree).replace('"DEEP"', '{"a":' * depth + "1" + "}" * depth).encode()
    else:
        parent[path[-1]] = draw(st.sampled_from(ODD), label="value")
    return json.dumps(tree).encode()


def edit_table(draw, text):
    """The text of a table with an odd cell."""
    lines = [line.split(b",") for line in text.splitlines()]
    line = draw(st.sampled_from(lines), label="line")
    line[draw(st.integers(0, len(line) - 1), label="column")] = draw(st.sampled_from(CELLS), label="cell").encode()
    return b"\n".join(map(b",".join, lines))


def edit_bytes(draw, content):
    """Bytes that are cut short, or have others among them."""
    place = draw(st.integers(0, len(content)), label="place")
    others = draw(
        st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff\xfe", b"\0", b'"', b",", b"\n"]))
    )
    return draw(st.sampled_from([content[:place], content[:place] + others + content[place:]]), label="content")


def damage(draw, run):
    """Damage a file of a run; what was done to which."""
    name = draw(st.sampled_from([FILE] * 5 + [EVALUATION] * 3 + [HISTORY] * 2 + [f"{EXAMPLES}/originals.png"]))
    path = run / name
    kinds = ["bytes", *(["tree"] * 6 if path.suffix == ".json" else ["table"] * 3 if path.suffix == ".csv" else [])]
    kind = draw(st.sampled_from([*kinds, draw(st.sampled_from(["bytes", "folder", "pipe", "link", "UTF-16", "gone"]))]))
    content = path.read_bytes()
    if kind in ("tree", "table", "bytes"):
        edit = {"tree": edit_tree, "table": edit_table, "bytes": edit_bytes}[kind]
        path.write_bytes(edit(draw, content))
    elif kind == "UTF-16":
        path.write_bytes(content.decode("latin-1").encode("utf-16"))
    else:
        path.unlink()
        {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path), "link": lambda: path.symlink_to("/nope"),
         "gone": lambda: None}[kind]()  # fmt: skip
    return f"{name}, {kind}"


def check_report(folder):
    """The report of a study: what it says, and that it can be written."""
    collection = read([folder])
    content = report(collection)
    text = page(content)
    text.encode("utf-8")
    (specs,) = re.findall("^const figures = (.*);$", text, re.MULTILINE)
    json.loads(specs, parse_constant=pytest.fail)  # a number that JSON does not have
    content.runs.to_csv(folder / "runs.csv", index=False)
    for name, strips in content.examples.items():
        assert "/" not in name
        strips.figure()
    table_of_settings(content.title, content.means, content.differences, Console(width=80))
    assert all(line and line.splitlines() == [line] and line.isprintable() for line in collection.warnings)
    assert all(line.splitlines() == [line] for line in content.diagnostics)
    return collection


@pytest.mark.slow
@pytest.mark.nightly
def test_a_damaged_record_costs_no_more_than_itself(study, tmp_path, capsys):
    @settings(
        max_examples=DRAWS,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # a failure is small as it is drawn
    )
    @given(st.data())
    def attempt(data):
        copy = tmp_path / "study"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(study, copy)
        bad = data.draw(st.sampled_from("abcde"), label="run")
        what = damage(data.draw, copy / bad)
        collection = check_report(copy)
        names = {run.folder.name for run in collection.runs}
        assert names >= set("abcde") - {bad}
        assert len(collection.warnings) <= 2
        if bad not in names and what not in (f"{FILE}, gone", f"{FILE}, link"):
            assert [line.startswith(f"{bad}: {FILE}") for line in collection.warnings] == [True]
        assert all(line.startswith(f"{bad}: ") for line in collection.warnings)
        outcome = "left out" if bad not in names else "a part left out" if collection.warnings else "shown"
        COUNTS[f"{what}: {outcome}"] += 1

    try:
        attempt()
    finally:
        with capsys.disabled():
            print(f"\nfuzz: {sum(COUNTS.values())} records: {dict(sorted(COUNTS.items()))}")


@pytest.mark.slow
def test_good_records_have_no_warning(study, tmp_path):
    collection = check_report(shutil.copytree(study, tmp_path / "study"))
    assert collection.warnings == []
    assert "whole_curve" in report(collection).figures  # so that the edits reach it
