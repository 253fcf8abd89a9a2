"""Progress, for whoever waits."""

from __future__ import annotations

import sys
from datetime import datetime


def say(text: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)
