from pathlib import Path

from plots.figures_png import FIGURES

from aframe import targets


def test_the_plots_are_those_that_are_drawn():
    assert set(targets.FIGURES) == set(FIGURES)


def test_a_training_is_what_it_writes(tmp_path):
    files = {t.file.name for t in targets.training(tmp_path).values()}
    assert files == {
        "model.pt",
        "best.ckpt",
        "last.ckpt",
        "batch.hdf5",
        "val_batch.hdf5",
        "manifest.json",
    }


def test_a_path_with_an_unset_variable_is_listed_but_not_there():
    target = targets.segments(Path("$AFRAME_TEST_BACKGROUND_DIR"))
    assert target.path.endswith("$AFRAME_TEST_BACKGROUND_DIR/segments.txt")
    assert not target.exists()
