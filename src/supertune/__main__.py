"""``python -m supertune``: the command line, where the environment's scripts are not on the path."""

from __future__ import annotations

from supertune.cli import main

if __name__ == "__main__":
    main()
