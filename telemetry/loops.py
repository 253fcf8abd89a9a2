"""For loops that run beside the connections of a process until they are cancelled."""

import asyncio


def cancelled() -> bool:
    """Whether the running task was asked to end.

    To be asked at the head of an endless loop: Redis' client turns a cancellation that meets
    it into an error of its own, and a query in a thread swallows one.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
