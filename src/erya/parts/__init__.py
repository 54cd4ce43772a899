"""Bricks with one meaning that at least two rooms use."""
