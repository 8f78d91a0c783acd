import torch

from vaesweep.seeded_generator import generator


def test_a_name_is_a_stream():
    draw = [
        torch.randn(4, generator=generator(*name)) for name in [(0, "a"), (0, "a"), (1, "a"), (0, "b"), (0, "a", 1)]
    ]
    assert torch.equal(draw[0], draw[1])
    assert not any(torch.equal(draw[0], other) for other in draw[2:])
