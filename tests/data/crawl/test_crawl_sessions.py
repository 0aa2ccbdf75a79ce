"""Certificates, several hosts, the time allowed, hosts that are given up, Ctrl-C, and two crawls in one folder."""

from __future__ import annotations

import datetime
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_site import HTML, Request, Site, crawled, serving

from supertune.errors import InterruptedRunError, UserError

Rows = Callable[[str], list[dict[str, Any]]]
Reasons = Callable[[], dict[str, str]]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate for site.test alone, trusted by nobody but who is told to."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "site.test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("site.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "site.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_certificate_has_to_be_of_the_name_though_the_address_was_chosen_before(
    certificate: Path, out: Path, rows: Rows
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with serving(tls=server) as site:
        site.page("/", "This is said in private.", "/more")
        site.page("/more", "And this as well.")
        seed = f"https://site.test:{site.port}/"
        crawled(site, out, seeds=[seed], surroundings={"tls": trusting})
        assert [row["text"] for row in rows("pages.jsonl")] == ["This is said in private.", "And this as well."]
        assert set(site.hosts) == {f"site.test:{site.port}"}
        asked = site.asked.total()
        # Another name at the same address, and a certificate that nobody vouches for.
        for host, tls in (("other.test", trusting), ("site.test", ssl.create_default_context())):
            with pytest.raises(UserError, match=r"(?i)certificate|tls"):
                crawled(
                    site,
                    out.with_name(f"{host}-{tls is trusting}"),
                    seeds=[f"https://{host}:{site.port}/"],
                    surroundings={"tls": tls},
                    pace={"retries": 0},
                )
        assert site.asked.total() == asked


def test_a_slow_host_does_not_hold_others_up_and_each_has_pauses_of_its_own(site: Site, out: Path, rows: Rows) -> None:
    released, before = threading.Event(), list[int]()
    with serving() as slow:

        def wait(request: Request) -> None:
            released.wait(4)
            request.send(200, {"Content-Type": HTML}, b"<html><body><p>The slow page, at last.</p></body></html>")

        slow.routes["/"] = wait
        site.page("/", "Home.", *(f"/{n}" for n in range(4)))
        for n in range(4):
            site.page(f"/{n}", f"This is page number {n}.")

        def watch() -> None:
            until = time.monotonic() + 4
            while site.asked.total() < 6 and time.monotonic() < until:
                time.sleep(0.01)
            before.append(site.asked.total())
            released.set()

        watcher = threading.Thread(target=watch)
        watcher.start()
        allowed = [f"127.0.0.1:{site.port}", f"127.0.0.1:{slow.port}"]
        seeds = [slow.url("/", "slow.test"), site.url("/")]
        crawled(site, out, seeds=seeds, allow_private=allowed, pace={"delay": 0.05})
        watcher.join()
        # robots.txt and all five pages were asked for while the slow one still waited.
        assert before == [6]
        assert len(rows("pages.jsonl")) == 6
    gaps = [later - earlier for earlier, later in zip(site.times, site.times[1:], strict=False)]
    assert min(gaps) >= 0.05


def test_when_its_time_is_over_a_crawl_stops_and_the_next_goes_on(site: Site, out: Path, rows: Rows) -> None:
    site.page("/", "Home.", *(f"/{n}" for n in range(40)))
    for n in range(40):
        site.page(f"/{n}", f"This is page number {n}.")
    first = crawled(site, out, pace={"delay": 0.05, "seconds": 0.5})
    assert first.ending == "time"
    assert 0 < first.manifest["pages"] < 41
    assert crawled(site, out).ending == "done"
    assert len(rows("pages.jsonl")) == 41
    assert set(site.asked.values()) == {1}


def test_a_host_that_fails_again_and_again_is_left_alone(site: Site, out: Path, reasons: Reasons) -> None:
    site.page("/", "Home.", *(f"/{n}" for n in range(9)))
    for n in range(9):
        site.routes[f"/{n}"] = (503, {}, b"")
    crawled(site, out, pace={"retries": 0, "errors": 3})
    assert sum(site.asked[f"/{n}"] for n in range(9)) == 3
    assert sorted(reasons().values()) == ["host-unreachable"] * 6 + ["status"] * 3
    # It may be up again: the next session asks, when told to.
    for n in range(9):
        site.page(f"/{n}", f"This is page number {n}.")
    assert crawled(site, out, retry=True).manifest["pages"] == 10


_INTERRUPTED = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, sys.argv[1])
from hostile_site import Site, crawled
from supertune.errors import InterruptedRunError
site = Site(port=int(sys.argv[2]))
try:
    crawled(site, Path(sys.argv[3]), pace={"delay": 0.03})
except InterruptedRunError as error:
    sys.exit(error.exit_code)
"""


def test_ctrl_c_ends_it_in_order_and_meanwhile_nobody_else_writes_there(site: Site, out: Path, rows: Rows) -> None:
    count = 24
    site.page("/", "Home.", *(f"/{n}" for n in range(count)))
    for n in range(count):
        site.page(f"/{n}", f"This is page number {n}.")
    command = [sys.executable, "-c", _INTERRUPTED, str(Path(__file__).parent), str(site.port), str(out)]
    process = subprocess.Popen(command, start_new_session=True)
    while site.asked.total() < count // 3:
        time.sleep(0.005)
        assert process.poll() is None
    with pytest.raises(UserError, match="another crawl writes there"):
        crawled(site, out)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(20) == InterruptedRunError.exit_code == 130
    half = len(rows("pages.jsonl"))
    assert 0 < half < count + 1
    crawled(site, out)
    assert len(rows("pages.jsonl")) == count + 1
    # Ended in order: nothing was asked for twice.
    assert set(site.asked.values()) == {1}
