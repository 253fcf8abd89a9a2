"""The garbage collector of long-running processes."""

from __future__ import annotations

import json
import subprocess
import sys

WATCHED = """
import gc, json, weakref
from telemetry.collector import settle

class Node: pass

loaded = [[] for _ in range(100_000)]
settle()
left = len(gc.get_objects())
node = Node(); node.own = node
gone = weakref.ref(node)
del node
made = [[] for _ in range(25_000)]
print(json.dumps({"left": left, "frozen": gc.get_freeze_count(), "gone": gone() is None}))
"""


def test_it_looks_through_what_is_made_and_not_through_what_was_loaded() -> None:
    told = json.loads(subprocess.check_output([sys.executable, "-c", WATCHED]))
    assert told["frozen"] > 100_000 and told["left"] < 1_000
    assert told["gone"]
