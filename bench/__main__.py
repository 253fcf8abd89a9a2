"""`make bench`: what the product does on this machine, everything on it, the load included.

Each phase builds a private installation (own PostgreSQL, Redis and processes) in a scratch
folder, measures, and takes it down. Its figures are written at once into `docs/figures.json`
and `docs/figures.md`, beside those of other phases measured earlier on the same machine:
`python -m bench --phases api alerts` measures two of them anew.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from bench.figures import publish
from bench.options import Options
from bench.phases import PHASES
from bench.say import say

WITHOUT_BROWSER = [name for name in PHASES if name != "console"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phases", nargs="+", choices=list(PHASES), default=WITHOUT_BROWSER)
    parser.add_argument("--quick", action="store_true", help="shorter, and nothing is written")
    parser.add_argument("--rows", type=int, default=Options.rows, help="of the large history")
    parser.add_argument("--writers", type=int, default=Options.writers)
    parser.add_argument("--seconds", type=int, default=Options.ui_seconds, help="of Live")
    arguments = parser.parse_args()
    options = Options(
        quick=arguments.quick,
        rows=arguments.rows,
        writers=arguments.writers,
        ui_seconds=arguments.seconds,
    )
    for name in arguments.phases:
        with tempfile.TemporaryDirectory(prefix="outrider-bench-") as folder:
            Path(folder).chmod(0o755)
            say(f"{name} …")
            figures = PHASES[name](Path(folder), options)
        print(json.dumps({name: figures}, indent=2), flush=True)
        if not options.quick:
            publish(name, figures)


if __name__ == "__main__":
    main()
