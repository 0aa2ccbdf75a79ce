"""How fast rows are cleaned, and in how much memory: a million short ones, half of them Chinese, by the default steps.

The rows are invented from small vocabularies and dirtied as real ones are: a tenth have HTML, a twentieth broken
encodings, a twelfth repeat another. Each measurement is a process of its own; rows per second are those of the steps
alone, reading and writing are told beside. One and two processes have to make the same bytes.

    python benchmarks/cleaning.py [--rows 1000000] [--repeats 3]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

WORDS = [
    "the",
    "a",
    "of",
    "film",
    "plot",
    "good",
    "bad",
    "slow",
    "actor",
    "scene",
    "music",
    "story",
    "never",
    "always",
    "really",
    "quite",
    "and",
    "but",
    "with",
]
CHINESE = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多"
)

MEASURED = """
import json, os, resource, sys, time
from pathlib import Path
from supertune.config import Config
from supertune.console import Console
from supertune.data import OPERATORS, built, clean, default_steps, read, write_table
from supertune.files import sha256_file
from supertune.recipes.rows import find_columns

if __name__ == "__main__":
    source, out, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    begun = time.perf_counter()
    tables = {"all": read(source)}
    columns = find_columns(Config(), tables, Console(quiet=True))
    steps = [built(OPERATORS, name, options, "") for name, options in default_steps(columns, several_splits=False)]
    table = tables["all"]; table.fingerprint
    ready, before = time.perf_counter(), os.times()
    made = clean(tables, columns, steps, workers=workers)
    done, after = time.perf_counter(), os.times()
    write_table(made.tables["all"], out, "jsonl")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    others = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps({
        "read": ready - begun, "clean": done - ready, "write": time.perf_counter() - done,
        "processor": sum(after[:4]) - sum(before[:4]), "own_mb": own / 1024, "worker_mb": others / 1024,
        "rows": len(table), "left": len(made.tables["all"]), "sha256": sha256_file(out),
    }))
"""


def write_rows(path: Path, count: int) -> None:
    """Rows of about 60 characters; the same for the same count."""
    chance = random.Random(0)
    texts: list[str] = []
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            if number > 10 and chance.random() < 1 / 12:
                text = chance.choice(texts)
            elif number % 2:
                text = "".join(chance.choices(CHINESE, k=chance.randint(8, 60)))
            else:
                text = " ".join(chance.choices(WORDS, k=chance.randint(4, 20)))
            kind = chance.random()
            if kind < 0.1:
                text = f"<p>{text}</p> &amp;  "
            elif kind < 0.15:
                text = text.encode().decode("latin-1") if number % 2 else f"{text} cafÃ©"
            if len(texts) < 100_000:
                texts.append(text)
            file.write(json.dumps({"text": text, "label": number % 3}, ensure_ascii=False) + "\n")


def measure(source: Path, out: Path, workers: int) -> dict[str, float | int | str]:
    """One run in a process of its own."""
    script = out.with_name("measured.py")
    script.write_text(MEASURED)
    command = [sys.executable, str(script), str(source), str(out), str(workers)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float | int | str] = json.loads(done.stdout)
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "rows.jsonl"
        write_rows(source, arguments.rows)
        runs: dict[int, list[dict[str, float | int | str]]] = {1: [], 2: []}
        for _ in range(arguments.repeats):
            for workers, found in runs.items():
                found.append(measure(source, Path(folder) / f"out-{workers}.jsonl", workers))
                print(workers, json.dumps(found[-1]), flush=True)
    assert len({run["sha256"] for found in runs.values() for run in found}) == 1, "the results differ"
    for workers, found in runs.items():
        seconds = [float(run["clean"]) for run in found]
        rows, middle = int(found[0]["rows"]), statistics.median(seconds)
        processor = statistics.median(float(run["processor"]) for run in found)
        peak = max(float(run["own_mb"]) for run in found)
        print(
            f"{workers} process(es): {rows / middle:,.0f} rows/s ({min(seconds):.1f} to {max(seconds):.1f} s), "
            f"{rows / processor:,.0f} per processor second, peak {peak:,.0f} MB of the first process"
        )


if __name__ == "__main__":
    main()
