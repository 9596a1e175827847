"""`record`: training as it went, to look at afterwards."""

from .recording import Recording, record

__all__ = ["Recording", "record"]
