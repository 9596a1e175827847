"""Models that learn row by row, at their defaults: ``python -m benchmarks.streams``."""
