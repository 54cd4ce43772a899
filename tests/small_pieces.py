"""A filtering process whose pieces are small, so that a test has many of them."""

from __future__ import annotations

from erya.filtering import pieces, worker

pieces.PIECE = 4096

if __name__ == "__main__":
    worker.main()
