"""The layers of the package: imports point down, and only `stacking` knows about stacks."""

import ast
import re
from pathlib import Path

import pytest

from support.paths import ROOT

SRC = ROOT / "src"
LAYERS = (
    ("train", "evaluate", "compare", "hydra_plugins"),
    ("studies",),
    ("stacking",),
    ("training",),
    ("notebook",),
    ("evaluation",),
    ("report",),
    ("records",),
    ("figures",),
    ("metrics",),
    ("data",),
    ("models",),
    ("run_script",),
    ("settings",),
    ("atomic_files",),
    ("model_declaration", "errors", "vanished_folders", "seeded_generator", "stop_signals"),
)
"""From the top down. A part imports from its own layer, where that is the part itself, and from those below."""
DEPTH = {part: depth for depth, parts in enumerate(LAYERS) for part in parts}
RUN_LEVEL = ("models", "data", "training", "records", "metrics", "evaluation", "notebook", "report", "figures")
ALLOWED = re.compile(r"(torch|np)\.\w*stack\(|\.unstack\(|ExitStack")
"""Words of the libraries that are used."""


def part_of(module: str) -> str | None:
    """The part of the house that a module belongs to; None for packages of others and for the package's face."""
    names = module.split(".")
    if names[0] == "vaesweep":
        return names[1] if len(names) > 1 and names[1] in DEPTH else None
    return names[0] if names[0] in DEPTH else None


def imports(text: str) -> set[str]:
    """The modules that some code imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def upward(path: Path, text: str) -> list[str]:
    """The imports of a file that do not point down."""
    module = ".".join(path.relative_to(SRC).with_suffix("").parts)
    here = part_of(module)
    if here is None:
        return []
    theirs = {name: part_of(name) for name in imports(text)}
    return sorted(n for n, part in theirs.items() if part and part != here and DEPTH[part] <= DEPTH[here])


def sources():
    return sorted(path for path in SRC.rglob("*.py") if "egg-info" not in str(path))


def test_every_module_has_a_layer():
    parts = {
        path.relative_to(SRC / "vaesweep").parts[0].removesuffix(".py") for path in (SRC / "vaesweep").rglob("*.py")
    }
    assert parts - {"__init__"} <= set(DEPTH)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(SRC)))
def test_imports_point_down(path):
    assert upward(path, path.read_text()) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("vaesweep/models/vae.py", "from vaesweep.training.lightning_module import LitAutoencoder"),
        ("vaesweep/training/train_and_test.py", "from vaesweep.stacking import stacked_model"),
        ("vaesweep/report/report.py", "import vaesweep.evaluation.evaluate_command"),
        ("vaesweep/settings/check_arguments.py", "def f():\n    from vaesweep import models"),
    ],
)
def test_an_import_that_points_up_is_found(file, line):
    path = SRC / file
    assert upward(path, f"{path.read_text()}\n{line}\n")


def mentions_of_stacks(text: str) -> list[str]:
    return [line for line in text.splitlines() if "stack" in ALLOWED.sub("", line).lower()]


@pytest.mark.parametrize("part", RUN_LEVEL)
def test_a_run_does_not_know_that_stacks_exist(part):
    files = [path for path in (SRC / "vaesweep" / part).rglob("*") if path.suffix in (".py", ".html")]
    assert [line for path in files for line in mentions_of_stacks(path.read_text())] == []
    assert mentions_of_stacks("if isinstance(model, Stack):") != mentions_of_stacks("rows = torch.stack(rows)") == []


def test_at_most_eight_modules_lie_beside_the_folders():
    assert len(list((SRC / "vaesweep").glob("*.py"))) <= 8
