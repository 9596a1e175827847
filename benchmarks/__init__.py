"""Speed next to other libraries, measured in one run: ``python -m benchmarks``."""
