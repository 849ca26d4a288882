from types import SimpleNamespace

import pytest
import torch
from matplotlib.image import imread
from train.plots import Example, ValidationPlots, draw_examples
from train.wandb_logger import WandbLogger, WandbSettings


class Recorder(WandbLogger):
    def __init__(self, run_dir):
        super().__init__(WandbSettings(), run_dir)
        self.rows = []

    def add_pictures(self, table, epoch, pictures, step):
        self.rows.append((table, epoch, pictures, step))


def trainer(**changes):
    values = {
        "sanity_checking": False,
        "is_global_zero": True,
        "max_epochs": 10,
        "current_epoch": 0,
        "global_step": 7,
        "loggers": [],
    }
    return SimpleNamespace(**(values | changes))


def scores(rows, columns):
    return torch.randn(rows, columns)


def test_an_example_is_the_most_extreme_of_all_batches():
    loudest, faintest = Example(1), Example(-1)
    batches = [scores(3, 4), scores(0, 4), scores(5, 4)]
    for batch in batches:
        for example in (loudest, faintest):
            example.offer(batch, [batch[..., None] * torch.ones(2)])
    everything = torch.cat(batches)
    assert loudest.score == everything.max()
    assert faintest.score == everything.min()
    assert torch.equal(loudest.tensors[0], everything.max().expand(2))


@pytest.mark.parametrize(
    "shapes",
    [
        [(3, 32), (3, 8, 9)],  # a spectrogram beside
        [(2, 32), (2, 32)],  # a prediction
    ],
)
def test_pictures_grow_epoch_by_epoch(tmp_path, shapes):
    plots, logger = ValidationPlots(tmp_path), Recorder(tmp_path)
    for epoch in range(2):
        place = trainer(current_epoch=epoch, loggers=[logger])
        for signals in (0, 2):
            pairs = [
                torch.randn(rows, columns, *shape)
                for shape in shapes
                for rows, columns in ((3, 4), (signals, 5))
            ]
            values = scores(3, 4), scores(signals, 5)
            plots.on_validation_score(place, None, *values, *pairs)
        plots.on_validation_end(place, None)
    names = ["inputs-0000", "inputs-0001", "scores-0000", "scores-0001"]
    found = sorted((tmp_path / "plots").iterdir())
    assert [path.stem for path in found] == names
    for path in found:
        assert imread(path).std() > 0
    assert [row[:2] for row in logger.rows] == [
        ("validation", 0),
        ("validation", 1),
    ]
    assert set(logger.rows[1][2].values()) == {found[1], found[3]}


def test_an_epoch_without_signals_can_be_drawn(tmp_path):
    plots = ValidationPlots(tmp_path)
    tensors = scores(1, 4), scores(0, 5), *[torch.zeros(1, 4, 2, 9)] * 2
    plots.on_validation_score(trainer(), None, *tensors)
    plots.on_validation_end(trainer(), None)
    assert len(list((tmp_path / "plots").iterdir())) == 2


def test_complex_inputs_can_be_drawn():
    example = Example(1)
    example.offer(scores(1, 1), [torch.randn(1, 1, 2, 9) * 1j])
    figure = draw_examples([example, Example(1), Example(-1)])
    assert figure.axes[1].get_title() == "no signal"


@pytest.mark.parametrize(
    "changes",
    [
        {"sanity_checking": True},
        {"is_global_zero": False},
        {"max_epochs": 200, "current_epoch": 1},
    ],
)
def test_nothing_is_drawn(tmp_path, changes):
    plots = ValidationPlots(tmp_path)
    plots.on_validation_score(trainer(**changes), None, scores(1, 1))
    plots.on_validation_end(trainer(**changes), None)
    assert not list(tmp_path.iterdir())
