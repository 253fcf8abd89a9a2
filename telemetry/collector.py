"""Python's garbage collector in processes that run for days.

What a process has loaded when it starts never becomes garbage, and is most of what it holds:
to look through it again takes 100 to 400 ms, in which nobody is answered.
"""

from __future__ import annotations

import gc
from typing import Final

YOUNG: Final = 5_000
"""Objects with references that are made, and not yet gone by themselves, before those are looked
through; ten times as many before the older are, a hundred times as many before all."""


def settle(*, young: int = YOUNG, all_every: int = 10) -> None:
    """Take what is there out of the collector's sight, and look through the rest less often.

    Call it once loading is done. `all_every`: how many times the older are looked through before
    all are; closed sockets may be among them, so not too many times where there are such.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, 10, all_every)
