"""n-grams: counts of runs of words, smoothed."""
