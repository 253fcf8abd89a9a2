"""The ingest side: frames of watched devices, and of these only the last, go to Redis.

Whoever takes frames in asks `devices`, a set in memory, so that with nobody looking a frame
costs one look at an empty set. One task a process reads the set anew each second and hands
over what was kept; where Redis does not answer, nothing is shown, and ingest does not wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import structlog
from redis.exceptions import RedisError

from telemetry.adapters.decoded import RefusedItem
from telemetry.inspection import kept, watches
from telemetry.loops import cancelled

log = structlog.get_logger(__name__)

LOOK_S: Final = 1.0
HAND_OVER_S: Final = 0.2


class Inspector:
    """The inspector of one event loop. `devices` is replaced, never changed."""

    def __init__(self) -> None:
        self.devices: frozenset[int] = frozenset()
        self._kept: dict[int, deque[kept.KeptFrame]] = {}
        self._answered = True
        self._begun = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="frame inspector")

    async def begun(self) -> None:
        """Wait for the first look: the first frame of all may be the one that is waited for."""
        if not self._begun.is_set():
            await self._begun.wait()

    def keep(
        self,
        device_id: int | None,
        frame: str | bytes,
        form: str,
        received_us: int,
        *,
        records: Sequence[bytes] = (),
        refused: Sequence[RefusedItem] = (),
        problem: tuple[str, str] | None = None,
    ) -> None:
        """Keep a frame if its device is watched. `problem`: code and detail of why the frame
        as a whole was not taken."""
        if device_id is None or device_id not in self.devices:
            return
        whole = kept.KeptRefusal(problem[0], "", problem[1], None) if problem else None
        self._kept.setdefault(device_id, deque(maxlen=kept.FRAMES)).append(
            kept.keep(frame, form, received_us, records=records, refused=refused, problem=whole)
        )

    async def look(self) -> None:
        """Learn who is watched. Raises RedisError."""
        self.devices = await watches.watched_devices()

    async def hand_over(self) -> None:
        """Send what was kept since. Raises RedisError; it is not sent again then."""
        found, self._kept = self._kept, {}
        if found:
            await watches.hand_over(
                {pk: [kept.encoded(each) for each in frames] for pk, frames in found.items()}
            )

    async def _run(self) -> None:
        looked = -LOOK_S
        while not cancelled():
            try:
                if time.monotonic() - looked >= LOOK_S:
                    looked = time.monotonic()
                    await self.look()
                await self.hand_over()
                self._answered = True
            except (RedisError, OSError) as error:
                self.devices, self._kept = frozenset(), {}
                if self._answered:
                    log.warning("watches_not_read", error=str(error))
                self._answered = False
            except Exception:
                # Showing frames must not end because one of them is odd.
                log.exception("inspector_failed")
            self._begun.set()
            await asyncio.sleep(HAND_OVER_S if self.devices else LOOK_S)
