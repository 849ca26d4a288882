import pytest
import torch
from conventions.errors import UserError
from train.metrics import TimeSlideAUROC


def test_area_at_low_false_positive_rates():
    generator = torch.Generator().manual_seed(1)
    background = torch.randn(1000, 8, generator=generator)
    foreground = 2 + torch.randn(200, 5, generator=generator)
    metric = TimeSlideAUROC(max_fpr=0.05)
    for i in range(4):
        metric.update(background[i::4], foreground[i::4])
    # the ROC curve is a staircase with a step at each background score
    noise = background.amax(1).sort(descending=True).values[:50]
    steps = torch.stack([(foreground.mean(1) > x).sum() for x in noise])
    area = float(steps.sum()) / 200 / 1000
    lowest = 0.05**2 / 2
    expected = 0.5 * (1 + (area - lowest) / (0.05 - lowest))
    assert metric.compute() == pytest.approx(expected, abs=1e-6)


def test_loud_scores_are_not_tied():
    metric = TimeSlideAUROC(max_fpr=1.0)
    metric.update(torch.tensor([[40.0], [60.0]]), torch.tensor([[50.0]]))
    assert metric.compute() == 0.5


def test_extremes():
    metric = TimeSlideAUROC()
    background = torch.randn(2000, 2)
    metric.update(background, torch.full((5, 5), 100.0))
    assert metric.compute() == 1
    metric.reset()
    metric.update(background, torch.full((5, 5), -100.0))
    assert metric.compute() == pytest.approx(0.5, abs=1e-3)


def test_pieces_without_signals_count_as_background():
    metric = TimeSlideAUROC(max_fpr=1.0)
    metric.update(torch.tensor([[1.0, 3.0]]), torch.zeros(0, 5))
    metric.update(torch.tensor([[0.0, 0.0]]), torch.full((1, 5), 2.0))
    assert metric.compute() == 0.5


@pytest.mark.parametrize("max_fpr", [0, -1, 1.5])
def test_errors(max_fpr):
    with pytest.raises(UserError, match=r"max_fpr: .* must lie in"):
        TimeSlideAUROC(max_fpr)


def test_scores_that_are_no_numbers_are_an_error():
    metric = TimeSlideAUROC()
    nan = float("nan")
    metric.update(torch.tensor([[0.0], [nan]]), torch.tensor([[nan]]))
    with pytest.raises(UserError, match="2 of 3 validation scores"):
        metric.compute()


def test_no_rows_add_nothing():
    metric = TimeSlideAUROC(max_fpr=1.0)
    metric.update(torch.tensor([[40.0], [60.0]]), torch.tensor([[50.0]]))
    metric.update(torch.zeros(0, 1).half(), torch.zeros(0, 1).half())
    assert metric.compute() == 0.5
