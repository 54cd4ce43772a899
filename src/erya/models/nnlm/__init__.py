"""Bengio's neural probabilistic language model."""
