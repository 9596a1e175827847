"""`record`: training as it went, to look at afterwards."""

from .recording import Recording, record
from .stream import record_stream

__all__ = ["Recording", "record", "record_stream"]
