import pandas as pd
import pytest

from vaesweep.evaluation.print_evaluations import print_evaluations


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_no_digit_is_cut_and_the_unit_stands_beside_a_value(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    settings = {f"vae beta={beta}": ["109.70 ± 0.31", "0.912 ± 0.002"] for beta in (0.25, 0.5, 1, 2)}
    values = {"measure": ["nll", "probe"], "value": ["NLL", "linear"], "unit": ["nats per image, k = 100", "accuracy"]}
    print_evaluations(pd.DataFrame(values | settings), ["nll NLL: not to be trusted"], [("nll", "no density")])
    printed = capsys.readouterr().out
    assert printed.count("109.70 ± 0.31") == printed.count("0.912 ± 0.002") == 4
    (line,) = (line for line in printed.splitlines() if "nats per image, k = 100" in line)
    assert "109.70 ± 0.31" in line
    assert max(map(len, printed.splitlines())) <= columns
    assert printed.endswith("- nll NLL: not to be trusted\ndoes not apply: nll (evaluation.json says why)\n")
