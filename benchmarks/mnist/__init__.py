"""Time to an accuracy: MNIST, fastbp on one core, others on all: ``python -m benchmarks.mnist``."""
