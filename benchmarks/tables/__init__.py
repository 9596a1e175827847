"""Models at their defaults on real tables, in raw units: ``python -m benchmarks.tables``."""
