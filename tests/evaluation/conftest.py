"""What tests of measures share."""

import pytest
import torch

from vaesweep.evaluation import EvalContext
from vaesweep.records.results import Results


@pytest.fixture
def context(model, digits, tmp_path):
    """An untrained model, by overrides, with the digits; its record calls it `name`, and has `seed`."""

    def make(*overrides, data=digits, name="vae", seed=0):
        made = model(*overrides, spec=data.spec)
        record = Results(name, "digits", seed, [], "0" * 16, {})
        return EvalContext(tmp_path, record, "last", made, data, torch.device("cpu"), seed=0)

    return make
