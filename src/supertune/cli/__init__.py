"""The command line: parses, calls one recipe, prints. ``supertune --help`` answers before anything heavy loads."""

from supertune.cli.main import main

__all__ = ["main"]
