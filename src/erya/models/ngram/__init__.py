"""n-grams: which unit follows which others, counted and smoothed."""
