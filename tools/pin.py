"""Print a pip constraints file: every distribution installed beside this interpreter, at its version.

python tools/pin.py > constraints.txt        what ``make constraints`` does
"""

from __future__ import annotations

import importlib.metadata
import re
import sys

NOT_PINNED = frozenset({"supertune", "pip", "setuptools", "wheel"})
HEADER = "# Every version that supertune is tested with; written by `make constraints` (tools/pin.py)."


def pins() -> list[str]:
    """One ``name==version`` per distribution, by name, without local parts such as ``+cpu``.

    A constraint without the local part is met by every build of the version, of torch for the processor and for
    each CUDA alike; which of them is installed depends on the index that pip is given.
    """
    versions = {
        re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower(): distribution.version.partition("+")[0]
        for distribution in importlib.metadata.distributions()
    }
    return [f"{name}=={versions[name]}" for name in sorted(versions.keys() - NOT_PINNED)]


if __name__ == "__main__":
    sys.stdout.write("\n".join([HEADER, *pins()]) + "\n")
