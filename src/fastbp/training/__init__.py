"""Epochs of a network, one or several side by side: NumPy only."""
