"""Pages of the web as rows: asked for politely, connected to safely, with where they come from and why others did not.

A part of the data room that knows nothing of tables: what it writes is read like any other file.
"""

from __future__ import annotations

from supertune.data.crawl.addresses import Permission, Resolver, parse_permission, system_resolver
from supertune.data.crawl.crawler import Crawler, Ending, Progress
from supertune.data.crawl.fetch import Fetcher
from supertune.data.crawl.guarded import GuardedExtraction, check_installed
from supertune.data.crawl.output import MANIFEST, PAGES, SKIPPED, STATE, write_output
from supertune.data.crawl.scope import Scope
from supertune.data.crawl.settings import AGENT, Limits, Pace, Territory
from supertune.data.crawl.store import Store, now
from supertune.data.crawl.work import Extract, Work

__all__ = [
    "AGENT",
    "MANIFEST",
    "PAGES",
    "SKIPPED",
    "STATE",
    "Crawler",
    "Ending",
    "Extract",
    "Fetcher",
    "GuardedExtraction",
    "Limits",
    "Pace",
    "Permission",
    "Progress",
    "Resolver",
    "Scope",
    "Store",
    "Territory",
    "Work",
    "check_installed",
    "now",
    "parse_permission",
    "system_resolver",
    "write_output",
]
