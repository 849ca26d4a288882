"""The pipeline and its training, as small as they can be."""

import configparser
import io
import re

SECTIONS = {
    "luigi_base": {
        "source": "simulated",
        "psds": '{"H1": "aLIGO_O4_high_asd.txt", '
        '"L1": "aLIGO_O4_high_asd.txt"}',
        "train_start": 1240579783,
        "train_stop": 1240580083,
        "max_duration": 250,
        "sample_rate": 512,
        "waveform_duration": 4,
        "right_pad": 1,
        "inference_psd_length": 16,
        "inference_batch_size": 16,
    },
    "luigi_FetchTrain": {"min_duration": 32},
    "luigi_TrainingWaveforms": {"num_signals": 32},
    "luigi_ValidationWaveforms": {"num_signals": 8},
    "luigi_TestingWaveforms": {
        "num_signals": "",
        "spacing": 12,
        "buffer": 4,
        "jitter": 1,
    },
}

TRAINING = {"luigi_TrainLocal": {"config": "demo.yaml", "psd_length": 8}}
"""Sections of a run that trains as the demo's YAML file beside it says."""

TRAINING_SETTINGS = {
    "batches_per_epoch": 2,
    "batch_size": 16,
    "min_valid_duration": 60,
    "valid_livetime": 60,
    "max_epochs": 1,
}


def config(inherit, *layers):
    """A configuration of law.

    ``SECTIONS`` override what is inherited, and each layer of sections what
    is before it.
    """
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    for layer in ({"core": {"inherit": inherit}}, SECTIONS, *layers):
        parser.read_dict(layer)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def shrink_training(path, **changes):
    """Write the settings of a tiny training into the demo's YAML file."""
    text = path.read_text()
    for key, value in (TRAINING_SETTINGS | changes).items():
        pattern = rf"^( *{key}:) .*$"
        text, count = re.subn(pattern, rf"\1 {value}", text, flags=re.M)
        assert count == 1, f"{key} stands in {count} lines"
    path.write_text(text)
