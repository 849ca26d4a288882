from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import settings

from ledger.events import EventSet
from ledger.injections import (
    InterferometerResponseSet,
    waveform_class_factory,
)
from ledger.ledger import Ledger, parameter, waveform

settings.register_profile("ledger", max_examples=30, deadline=None)
settings.load_profile("ledger")

IFOS = ["H1", "L1"]
Responses = waveform_class_factory(
    IFOS, InterferometerResponseSet, "Responses"
)


@pytest.fixture
def rng():
    return np.random.default_rng(20150914)


@pytest.fixture
def make_events(rng):
    def make(count, Tb=1e5, num_shifts=3, duration=1000.0):
        shift = rng.integers(1, num_shifts + 1, count).astype(float)
        return EventSet(
            detection_statistic=rng.normal(size=count),
            detection_time=rng.uniform(0, duration, count),
            shift=np.column_stack([np.zeros(count), shift]),
            Tb=Tb,
        )

    return make


@pytest.fixture
def make_responses(rng):
    def make(count, rate=16.0, duration=4.0, right_pad=1.0, **columns):
        size = round(rate * duration)
        values = {
            name: rng.uniform(0.1, 1, count)
            if kind == "parameter"
            else rng.normal(size=(count, size)).astype(np.float32)
            for name, kind in Responses.columns().items()
        }
        values["shift"] = np.tile([0.0, 1.0], (count, 1))
        values["ifo_snrs"] = rng.uniform(1, 9, (count, 2))
        values["injection_time"] = rng.uniform(0, 1000, count)
        return Responses(
            **(values | columns),
            sample_rate=rate,
            duration=duration,
            right_pad=right_pad,
            num_injections=count + 7,
            ifos=IFOS,
        )

    return make


@dataclass(eq=False)
class _Series(Ledger):
    number: np.ndarray = parameter()
    series: np.ndarray = waveform()


# Of the session, so that they go together with hypothesis.
@pytest.fixture(scope="session", name="Series")
def series_class():
    return _Series


@pytest.fixture(scope="session")
def series():
    def make(count, size=8, dtype=np.float32):
        return _Series(
            number=np.arange(count, dtype=np.int32),
            series=np.arange(count * size).reshape(count, size).astype(dtype),
        )

    return make


@pytest.fixture(scope="session")
def write_all():
    def write(tables, folder):
        folder.mkdir(exist_ok=True)
        files = [folder / f"{i}.hdf5" for i in range(len(tables))]
        for table, file in zip(tables, files, strict=True):
            table.write(file)
        return files

    return write
