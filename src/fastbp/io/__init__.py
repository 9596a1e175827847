"""Files: written whole or not at all; models, and plain values, in the safetensors format."""

from .skops_types import SKOPS_TYPES

__all__ = ["SKOPS_TYPES"]
