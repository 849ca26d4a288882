"""Files in object storage: complete or absent, checked, cached."""

from storage.cache import cached, cached_directory
from storage.locations import Location, is_remote, location
from storage.objects import (
    Stored,
    exists,
    listing,
    opened,
    remove,
    stat,
    upload,
    writing,
)

__all__ = [
    "Location",
    "Stored",
    "cached",
    "cached_directory",
    "exists",
    "is_remote",
    "listing",
    "location",
    "opened",
    "remove",
    "stat",
    "upload",
    "writing",
]
