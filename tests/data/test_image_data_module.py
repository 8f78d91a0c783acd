"""The base data module, over a dataset of numbered images."""

from types import SimpleNamespace

import pytest
import torch

from vaesweep.data import ImageDataModule
from vaesweep.errors import ConfigError


class Numbered(ImageDataModule):
    """100 images of 1 x 2 x 2, all pixels equal to the row number; class = row % 5."""

    def load(self):
        rows = torch.arange(100)
        return (rows.to(torch.uint8)[:, None, None, None].expand(-1, 1, 2, 2), rows[:, None] % 5), None


def data(batch_size=10, rank=0, world=1, epoch=0, **options):
    settings = {"val_fraction": 0.1, "test_fraction": 0.2, "binarize": "none", "on_device": False, "seed": 0}
    made = Numbered(batch_size, **settings | options)
    made.trainer = SimpleNamespace(
        world_size=world,
        global_rank=rank,
        current_epoch=epoch,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
    )
    made.setup()
    return made


def flat(batches):
    return sorted(number for batch in batches for number in batch)


def numbers(loader):
    return [(batch.image[:, 0, 0, 0] * 255).round().int().tolist() for batch in loader]


def test_splits_are_disjoint_and_whole():
    splits = data().splits
    assert {name: len(s.indices) for name, s in splits.items()} == {"test": 20, "val": 8, "train": 72}
    assert sorted(torch.cat([s.indices for s in splits.values()]).tolist()) == list(range(100))


def test_the_split_and_the_order_depend_on_the_data_seed_alone():
    torch.manual_seed(1)
    one = numbers(data().train_dataloader())
    torch.manual_seed(2)
    assert numbers(data().train_dataloader()) == one
    assert numbers(data(seed=1).train_dataloader()) != one
    assert numbers(data(epoch=1).train_dataloader()) != one


def test_training_sees_whole_batches_and_evaluation_everything():
    made = data()
    assert [len(b) for b in numbers(made.train_dataloader())] == [10] * 7
    assert len(made.train_dataloader()) == 7
    assert flat(numbers(made.test_dataloader())) == made.splits["test"].indices.tolist()
    assert [len(b) for b in numbers(made.val_dataloader())] == [8]


def test_images_are_floats_in_range_with_their_labels():
    batch = next(iter(data().test_dataloader()))
    assert batch.image.dtype == torch.float32
    assert batch.label.dtype == torch.int64
    assert torch.equal(batch.label[:, 0], (batch.image[:, 0, 0, 0] * 255).round().long() % 5)


@pytest.mark.parametrize("split", ["train_dataloader", "test_dataloader"])
def test_processes_share_out_the_batches_of_one(split):
    alone = numbers(getattr(data(batch_size=6), split)())
    parts = [getattr(data(batch_size=6, rank=r, world=3), split)() for r in range(3)]
    assert len({len(p) for p in parts}) == 1  # or the processes would wait for each other
    assert [len(list(p)) for p in parts] == [len(p) for p in parts]
    if split == "train_dataloader":
        for i, batch in enumerate(alone):
            assert flat([numbers(p)[i] for p in parts]) == sorted(batch)
    else:  # whole batches, in turn; a process that has none left gets empty ones
        dealt = [batch for turn in zip(*(numbers(p) for p in parts), strict=True) for batch in turn]
        assert dealt[: len(alone)] == alone
        assert not any(dealt[len(alone) :])


def test_an_interrupted_pass_goes_on_where_it_stopped():
    loader = data().train_dataloader()
    everything, passing = numbers(loader), iter(loader)
    for _ in range(3):
        next(passing)
    resumed = data().train_dataloader()
    resumed.load_state_dict(loader.state_dict())
    assert numbers(resumed) == everything[3:]
    assert numbers(resumed) == everything  # the next pass is a whole one


def test_a_pass_that_is_broken_off_leaves_the_next_one_whole():
    loader = data().val_dataloader()
    next(iter(loader))
    assert len(list(loader)) == len(loader)


def test_threshold_is_at_half_the_range():
    batch = data(binarize="threshold", batch_size=72).examples(8)
    assert set(batch.image.unique().tolist()) <= {0.0, 1.0}
    made = data(binarize="threshold")
    stored = torch.tensor([127, 128], dtype=torch.uint8)
    assert made.to_float(stored, 2, slice(None), torch.Generator).tolist() == [0.0, 1.0]


def test_dynamic_draws_anew_in_training_with_grey_as_probability():
    made = data(binarize="dynamic")
    stored = torch.full((4000, 1, 2, 2), 64, dtype=torch.uint8)
    draw = made.to_float(stored, 4000, slice(None), lambda: torch.Generator().manual_seed(0))
    assert draw.mean().item() == pytest.approx(64 / 255, abs=0.01)
    visits = [torch.cat([b.image for b in data(binarize="dynamic", epoch=e).train_dataloader()]) for e in (0, 0, 1)]
    assert torch.equal(visits[0], visits[1])
    assert visits[0].sum() != visits[2].sum()
    tests = [torch.cat([b.image for b in data(binarize="dynamic", epoch=e).test_dataloader()]) for e in (0, 1)]
    assert torch.equal(*tests)


def test_dynamic_draws_are_the_same_on_any_number_of_processes():
    alone = next(iter(data(binarize="dynamic").train_dataloader()))
    parts = [next(iter(data(binarize="dynamic", rank=r, world=2).train_dataloader())) for r in range(2)]
    for r, part in enumerate(parts):
        assert torch.equal(part.image, alone.image[r::2])


def test_on_device_moves_the_shared_images_once():
    made = data(on_device=True)
    made.train_dataloader()
    assert made.splits["train"].images is made.splits["val"].images
    assert numbers(made.val_dataloader()) == numbers(data().val_dataloader())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "^batch_size: got 0"),
        ({"batch_size": 500}, "^data.batch_size: got 500 with 72 training images"),
        (
            {"batch_size": 9, "world": 2},
            "^data.batch_size: got 9 over 2 devices; allowed: a multiple of 2",
        ),
        ({"val_fraction": 0}, "^val_fraction: got 0"),
        ({"test_fraction": 0.001}, "^data.test_fraction: got 0.001 of 100 images"),
        ({"binarize": "fuzzy"}, r"^binarize: got fuzzy; allowed: none \| threshold \| dynamic"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        data(**options).train_dataloader()


def test_a_class_left_out_is_in_no_split_but_its_own():
    whole, made = data(), data(exclude_label=3)
    assert {name: (s.indices % 5 == 3).sum().item() for name, s in made.splits.items() if name != "excluded"} == {
        "test": 0, "val": 0, "train": 0,
    }  # fmt: skip
    for name in ("test", "val", "train"):
        rows = whole.splits[name].indices
        assert made.splits[name].indices.tolist() == rows[rows % 5 != 3].tolist()
    tests = whole.splits["test"].indices
    assert made.splits["excluded"].indices.tolist() == tests[tests % 5 == 3].tolist()
    assert made.spec.classes == 5
    assert made.spec.images == len(made.splits["train"].indices)


@pytest.mark.parametrize("label", [5, -1, "3", True])
def test_a_class_to_leave_out_must_be_one(label):
    with pytest.raises(ConfigError, match=r"exclude_label: got .*; allowed: .*(0 to 4|at least 0)"):
        data(exclude_label=label)


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_a_class_that_is_all_of_a_split_is_not_left_out(name):
    labels = torch.zeros(100, dtype=torch.long)
    labels[data().splits[name].indices] = 1

    class TwoClasses(Numbered):
        def load(self):
            (images, _), own_test = super().load()
            return (images, labels[:, None]), own_test

    made = TwoClasses(1, 0.1, "none", False, 0, test_fraction=0.2, exclude_label=1)
    with pytest.raises(ConfigError, match=f"data.exclude_label: got 1, the class of all images of the {name} split"):
        made.setup()
