"""What can go wrong that is not a bug: errors that say what, where and what to do.

Every error that reaches the command line is one of these; its ``exit_code`` is the process's exit code.
Anything else is a bug in supertune (exit code 1, with a crash report).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supertune.contracts import Finding


class SupertuneError(Exception):
    """Base of every error supertune raises on purpose."""

    exit_code = 1


class UserError(SupertuneError):
    """The user's input, configuration or surroundings are wrong (exit code 2).

    Args:
        what: One sentence: what is wrong, with the value at fault.
        where: File, row, column or configuration key at fault.
        fix: What to do about it, as an instruction.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what = what
        self.where = where
        self.fix = fix
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The whole message as the command line prints it."""
        located = f"{self.where}: {self.what}" if self.where else self.what
        return f"{located}\n  → {self.fix}" if self.fix else located


class MissingExtraError(UserError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    def __init__(self, package: str, extra: str, *, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed",
            fix=f"pip install 'supertune[{extra}]'",
        )


class GateError(SupertuneError):
    """The gate found problems at or above the severity that stops (exit code 3)."""

    exit_code = 3

    def __init__(self, findings: Sequence[Finding], *, report: str | None = None) -> None:
        self.findings = tuple(findings)
        lines = [f"{finding.check}: {finding.message}\n  → {finding.fix}" for finding in findings]
        lines.append("  → or go on all the same with " + " ".join(f"--allow {name}" for name in self.names))
        if report:
            lines.append(f"  the whole report: {report}")
        super().__init__("\n".join(lines))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the checks that stopped, without repeats, in order."""
        return tuple(dict.fromkeys(finding.check for finding in self.findings))


class InterruptedRunError(SupertuneError):
    """The user interrupted a run with Ctrl-C; what was done so far is kept (exit code 130)."""

    exit_code = 130
