"""One file per claim: each prints its figures beside its peer's or its floor, and writes ``results/<name>.json``."""
