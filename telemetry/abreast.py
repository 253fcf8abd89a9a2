"""Several questions to PostgreSQL at once.

A session answers with one processor, however many there are. So what one request needs to know
is asked by two sessions side by side, where it can be cut in pieces.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Final, TypeVar

from django.db import connection

AT_ONCE: Final = 2
"""Sessions that ask for one request; what they are ahead of it is bounded by as many answers."""
_askers: Final = BoundedSemaphore(2)
"""Requests of this process that have such sessions: the pool is for all."""

T = TypeVar("T")


def answers(questions: Sequence[Callable[[], T]]) -> Iterator[T]:
    """To each question in order. They are asked one after the other by the caller's own session
    where too many requests have more, and in a transaction, which sees what nobody else does.
    """
    if len(questions) < 2 or connection.in_atomic_block or not _askers.acquire(blocking=False):
        for ask in questions:
            yield ask()
        return
    try:
        with ThreadPoolExecutor(AT_ONCE) as sessions:
            coming: deque[Future[T]] = deque()
            for ask in questions:
                coming.append(sessions.submit(_with_a_session, ask))
                if len(coming) > AT_ONCE:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
    finally:
        _askers.release()


def _with_a_session(ask: Callable[[], T]) -> T:
    try:
        return ask()
    finally:
        connection.close()
