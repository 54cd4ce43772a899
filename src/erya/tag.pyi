# Written by `python -m erya.catalog`; a test compares.

