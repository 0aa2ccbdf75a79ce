"""``supertune crawl``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import options


def crawl(
    out: Annotated[Path, typer.Option("--out", help="Folder to write; one that was begun goes on.")],
    urls: Annotated[
        list[str] | None,
        typer.Argument(metavar="[URL]...", help="Addresses to begin with; none: goes on with what --out holds."),
    ] = None,
    sitemap: Annotated[list[str] | None, typer.Option("--sitemap", help="Address of a sitemap; repeatable.")] = None,
    named_sitemaps: Annotated[
        bool, typer.Option("--sitemaps/--no-sitemaps", help="Read the sitemaps that robots.txt names.")
    ] = True,
    hosts: Annotated[
        list[str] | None,
        typer.Option("--hosts", help="Hosts besides those of the addresses: docs.example.org, *.example.org."),
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option("--include", help="Only what begins so: /docs/ or https://example.org/docs/.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option("--exclude", help="Nothing that begins so; wins.")] = None,
    depth: Annotated[int | None, typer.Option("--depth", min=0, help="Links to follow from an address.")] = None,
    pages: Annotated[int, typer.Option("--pages", min=1, help="Pages to write, over all sessions.")] = 1000,
    requests: Annotated[
        int | None,
        typer.Option("--requests", min=1, help="Answers to ask for, over all sessions; ten times --pages."),
    ] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Time for this session.")] = None,
    delay: Annotated[float, typer.Option("--delay", help="Seconds between requests to a host, at least.")] = 1.0,
    parallel: Annotated[int, typer.Option("--parallel", min=1, max=64, help="Hosts asked side by side.")] = 8,
    retries: Annotated[int, typer.Option("--retries", min=0, help="Further tries after a passing failure.")] = 3,
    retry: Annotated[bool, typer.Option("--retry", help="Ask again for what failed in earlier sessions.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds for one answer, all in all.")] = 60.0,
    largest: Annotated[float, typer.Option("--largest", help="Megabytes of one page, unpacked.")] = 10.0,
    contact: Annotated[
        str | None, typer.Option("--contact", help="Where you are reached; sent to every site that is asked.")
    ] = None,
    allow_private: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-private",
            metavar="ADDRESS",
            help="An address or network that is not public, for an intranet: 10.1.0.0/16, 127.0.0.1:8080.",
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Fetch web pages as rows: politely, safely, with where each comes from."""
    from supertune.console import Console, print_json
    from supertune.data.crawl import Limits, Pace, Territory
    from supertune.recipes.crawl import crawl as run_crawl

    made = run_crawl(
        Territory(
            seeds=tuple(urls or ()),
            sitemaps=tuple(sitemap or ()),
            hosts=tuple(hosts or ()),
            include=tuple(include or ()),
            exclude=tuple(exclude or ()),
            depth=depth,
            named_sitemaps=named_sitemaps,
            allow_private=tuple(allow_private or ()),
        ),
        out=out,
        pace=Pace(
            delay=delay,
            parallel=parallel,
            pages=pages,
            requests=requests,
            seconds=None if minutes is None else minutes * 60,
            retries=retries,
        ),
        limits=Limits(seconds=timeout, page=int(largest * 1024**2) if 0 <= largest < 1e6 else -1),
        contact=contact,
        retry=retry,
        console=Console(quiet=quiet),
    )
    if json:
        print_json(made.as_dict())
