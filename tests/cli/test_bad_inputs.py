"""Every bad input is answered with one message that names it, and nothing is lost, overwritten or half-written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bad_data
import bad_surroundings
import pytest
from bad_inputs import ROWS, Case, Materials, write_tiny_model

from warm_processes import Done, WarmProcesses

CASES = (*bad_data.CASES, *bad_surroundings.CASES)
SUPERTUNE = (sys.executable, "-c", "from supertune.cli import main; main()")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
LEFT_OVERS = (".partial", ".old")


@dataclass(frozen=True)
class Outcome:
    """What a case left: the process's answer, and SHA-256 of every file before and after."""

    done: Done
    folder: Path
    before: dict[str, str]
    after: dict[str, str]
    manifest: dict[str, Any]
    events: list[Any]


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder that other users may enter, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="supertune-bad-inputs-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def materials(place: Path) -> Iterator[Materials]:
    tiny = write_tiny_model(place / "tiny")
    (place / "rows.csv").write_text(ROWS, encoding="utf-8")
    arguments = f"train rows.csv --model {tiny} --set train.epochs=1 --set train.precision=fp32 --out run"
    subprocess.run([*SUPERTUNE, *arguments.split()], cwd=place, env=environment(place), check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield Materials(tiny, place / "run", f"http://127.0.0.1:{silent.getsockname()[1]}")


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest, place: Path, materials: Materials) -> Iterator[dict[str, Future[Outcome]]]:
    """The cases that were selected, begun all at once: processes wait for the disk more than they compute."""
    chosen = [
        item.callspec.params["case"]
        for item in request.session.items
        if hasattr(item, "callspec") and isinstance(item.callspec.params.get("case"), Case)
    ]
    warm = place / "warm"
    warm.mkdir()
    with WarmProcesses(warm) as processes, ThreadPoolExecutor(max(2, (os.cpu_count() or 2))) as pool:
        yield {case.name: pool.submit(carry_out, case, place / case.name, materials, processes) for case in chosen}
        pool.shutdown(cancel_futures=True)


def environment(cache_parent: Path, **more: str) -> dict[str, str]:
    """No hub, no proxy, a cache of its own, one thread."""
    hub = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(cache_parent / "cache"), "no_proxy": "*"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    cache = {"SUPERTUNE_CACHE": str(cache_parent / "cache"), "OMP_NUM_THREADS": "1"}
    return {**inherited, **hub, **cache, **more}


def carry_out(case: Case, folder: Path, materials: Materials, processes: WarmProcesses) -> Outcome:
    folder.mkdir()
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    if case.disk:
        mount(folder / "disk", case.disk)
    try:
        if case.prepare:
            case.prepare(folder, materials)
        before = digests(folder) | digests(materials.run)
        named = {"tiny": str(materials.tiny), "run": str(materials.run), "silent": materials.silent}
        arguments = [*case.arguments.format_map(named).split(), "--json"]
        variables = {name: value.format_map(named) for name, value in case.environment.items()}
        if case.nobody or case.stdin or variables:
            done = begun_cold(case, arguments, folder, variables)
        else:
            own = {"SUPERTUNE_CACHE": str(folder / "cache")}
            done = processes.start(*arguments, cwd=folder, environment=own).wait(120)
        manifest, events = record(folder / case.failed) if case.failed else ({}, [])
        return Outcome(done, folder, before, digests(folder) | digests(materials.run), manifest, events)
    finally:
        if case.disk:
            subprocess.run(["umount", "-l", folder / "disk"], check=True)


def begun_cold(case: Case, arguments: list[str], folder: Path, variables: dict[str, str]) -> Done:
    """The answer of an ordinary process; libraries look at variables when they are imported."""
    ended = subprocess.run(
        [*(NOBODY if case.nobody else ()), *SUPERTUNE, *arguments],
        cwd=folder,
        env=environment(folder, **variables),
        input=case.stdin,
        capture_output=True,
        timeout=120,
    )
    return Done(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def record(run: Path) -> tuple[dict[str, Any], list[Any]]:
    """What a run says about itself: its manifest and its events, each of which must be whole."""
    events = run / "events.jsonl"
    lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
    return json.loads((run / "manifest.json").read_bytes()), [json.loads(line) for line in lines]


def mount(folder: Path, kilobytes: int) -> None:
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder], capture_output=True
    ).returncode:
        pytest.skip("this machine does not allow mounting")


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder; folders without files count as well."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in folder.rglob("*")
    }


def skip_what_cannot_be_made(case: Case) -> None:
    if not (case.disk or case.nobody):
        return
    if os.geteuid() != 0 or not shutil.which("mount" if case.disk else "setpriv"):
        pytest.skip("needs root to mount a small disk or to become another user")
    if case.nobody and subprocess.run([*NOBODY, *SUPERTUNE, "--version"], capture_output=True).returncode:
        pytest.skip("another user cannot read this installation")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_bad_input(case: Case, request: pytest.FixtureRequest) -> None:
    skip_what_cannot_be_made(case)
    outcome = request.getfixturevalue("outcomes")[case.name].result()
    check_answer(case, outcome.done)
    check_files(case, outcome)


def check_answer(case: Case, done: Done) -> None:
    """The right exit code, nothing on standard output, and one message that names what is wrong and what to do."""
    said = done.said
    assert done.code == case.code, said
    assert done.printed == "", "standard output is for results"
    assert "Traceback" not in said
    assert "Warning:" not in said, "a library speaks to the user"
    lines = said.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    assert len(starts) == 1, said
    message = "\n".join(lines[starts[0] :])
    for word in case.says:
        assert word in message
    assert any(line.startswith("  → ") and line.strip("→ ") for line in lines[starts[0] + 1 :]), message


def check_files(case: Case, outcome: Outcome) -> None:
    """The user's files are as they were; nothing new but, where there is one, a run that says that it failed."""
    kept = {name: digest for name, digest in outcome.after.items() if name in outcome.before}
    assert kept == outcome.before
    new = {Path(name) for name in outcome.after.keys() - outcome.before.keys()}
    assert not [path for path in new if path.name.endswith(LEFT_OVERS)]
    cache = outcome.folder / "cache"
    assert not (cache / "crashes").exists()
    mine = {path for path in new if path != cache and cache not in path.parents}
    if case.failed is None:
        assert mine == set()
        return
    run = outcome.folder / case.failed
    assert {path for path in mine if path != run and run not in path.parents} == set()
    assert outcome.manifest["status"] == "failed"
    files = {str(path.relative_to(run)) for path in mine if outcome.after[str(path)] != "folder"}
    assert files == {"manifest.json", *outcome.manifest["files"]}
    assert "config.yaml" in files
    assert run / "model" not in mine
    if case.code == 2:
        assert outcome.events, "what training did is kept"
