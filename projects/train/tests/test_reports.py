import pytest
from conventions.errors import UserError
from matplotlib.image import imread
from train.cli import main
from train.logger import MetricsLogger
from train.reports import read_metrics, write


@pytest.fixture
def run(tmp_path):
    logger = MetricsLogger(tmp_path)
    for step in range(100):
        loss = 1 / (1 + step)
        logger.log_metrics({"train_loss": loss, "lr-AdamW": 1e-3}, step)
    for step in (49, 99):
        logger.log_metrics({"valid_auroc": 0.5 + step / 1000}, step)
    logger.save()
    return tmp_path


def test_curves_are_those_of_the_file(run):
    curves = read_metrics(run / "metrics.csv")
    assert curves["valid_auroc"] == [(49, 0.549), (99, 0.599)]
    assert len(curves["train_loss"]) == 100
    assert curves["lr-AdamW"][0] == (0, 1e-3)


def test_a_report_on_demand(run, capsys):
    main(["report", str(run)])
    names = ["loss", "learning_rate", "valid_auroc"]
    paths = [run / "plots" / f"{name}.png" for name in names]
    assert capsys.readouterr().out.split() == list(map(str, paths))
    for path in paths:
        assert imread(path).std() > 0


def test_a_run_that_has_only_begun_is_reported(tmp_path):
    logger = MetricsLogger(tmp_path)
    logger.log_metrics({"train_loss": 0.7}, 0)
    logger.save()
    assert [path.stem for path in write(tmp_path)] == ["loss"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no metrics at .*metrics.csv"),
        ("a,b\n1,2\n", "is not a file of metrics: KeyError 'step'"),
        ("step,train_loss\n1,high\n", "is not a file of metrics: ValueError"),
        ("step,memory\n1,2\n", "has no loss, learning rate or score"),
    ],
)
def test_mistakes_are_named(tmp_path, capsys, content, message):
    if content is not None:
        (tmp_path / "metrics.csv").write_text(content)
    with pytest.raises(UserError, match=message):
        write(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["report", str(tmp_path)])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("error: ")
