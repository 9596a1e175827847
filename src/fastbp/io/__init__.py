"""Files: written whole or not at all; arrays and plain values in the safetensors format."""
