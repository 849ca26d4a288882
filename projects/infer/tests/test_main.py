import h5py
import numpy as np
import pytest
from conftest import (
    IFOS,
    SAMPLE_RATE,
    START,
    noise,
    signals,
    write_background,
)
from conventions.errors import UserError
from infer.data import SegmentReader
from infer.direct import DirectEngine
from infer.main import infer_segment, merge, stream_outputs
from infer.settings import SearchSettings
from ledger.events import EventSet, RecoveredInjectionSet

SECONDS = 31.3  # 125 outputs and a bit: 5.8 requests after the burn-in
WINDOWS = {
    "integration_window_length": 0.5,
    "cluster_window_length": 4.0,
    "recovery_window": 1.0,
}
