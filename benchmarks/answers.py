"""How many answers of Alpaca's demonstration files the gate calls odd, by sign; with --show, which.

Usage: SUPERTUNE_DATA=folder python benchmarks/answers.py [--show]

The patterns were written with these files: the counts say what is flagged, to be read, and nothing of other data.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import supertune

CHECKS = ("refusals", "echoed-prompts", "unfinished-answers", "answer-language")


def main() -> int:
    """Print the counts; skip with a word when the data are not there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--show", action="store_true", help="print the answers that are flagged")
    options = parser.parse_args()
    folder = Path(os.environ.get("SUPERTUNE_DATA", "")) / "alpaca"
    if not folder.is_dir():
        print("skipped: set SUPERTUNE_DATA to the folder with alpaca/")
        return 0
    for file in sorted(folder.glob("*.json")):
        report = supertune.check(file, task="chat")
        flagged = {finding.check: finding.rows for finding in report.findings if finding.check in CHECKS}
        told = ", ".join(f"{name} {len(flagged.get(name, ()))}" for name in CHECKS)
        print(f"{file.name}: {told}")
        rows = json.loads(file.read_text(encoding="utf-8"))
        for name, numbers in flagged.items() if options.show else ():
            for number in numbers:
                print(f"  {name}, row {number}: {rows[number]['output'][:100]!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
