"""Verification of the logs: every kind of damage is found, and a log in use is none."""

import threading

import pytest

from telemetry.streams import INGRESS, QUARANTINE, STORED, sync_client
from telemetry.verification import logs

pytestmark = pytest.mark.usefixtures("django_db_setup", "empty_logs")

PAYLOAD = b"x" * 100


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """Several steps to a walk, and full ones at their very bound."""
    monkeypatch.setattr(logs, "ENTRIES_AT_ONCE", 10)


@pytest.fixture
def ingress():
    """Thirty entries, of which the writer has taken eight and finished three."""
    INGRESS.ensure_group(1, "writer")
    for _ in range(30):
        INGRESS.append(1, PAYLOAD, 1)
    taken = INGRESS.read(1, "writer", count=8, block_ms=1)
    INGRESS.ack(1, "writer", taken[:3])
    return taken


def differences():
    compared = {"entries": 0}
    found = list(logs.check(compared))
    return found, compared["entries"]


def test_it_has_nothing_to_say_about_a_sound_log(ingress):
    assert differences() == ([], 27)


def test_it_sums_up_the_bytes_of_a_log_that_is_not_empty(ingress):
    sync_client().incrby(INGRESS.keys(1)[1], 7)
    (found,), _ = differences()
    assert found.where == "ingress:1, bytes"
    assert int(found.found) - int(found.expected) == 7


def test_it_sums_up_the_bytes_of_an_empty_log():
    sync_client().set(STORED.keys(0)[1], 5)
    (found,), _ = differences()
    assert (found.where, found.expected, found.found) == ("stored:0, bytes", "0", "5")


@pytest.mark.parametrize("at", [3, 5, 7])
def test_it_misses_what_was_taken_and_is_gone(ingress, at):
    entry = ingress[at]
    sync_client().xdel(INGRESS.keys(1)[0], entry.id)
    sync_client().decrby(INGRESS.keys(1)[1], len(PAYLOAD) + 96)
    (found,), _ = differences()
    assert found.where == f"ingress:1 {entry.id}"
    assert (found.expected, found.found) == ("in hand of writer", "not there")


def test_it_finds_what_nobody_will_ever_read_again(ingress):
    """Acknowledged without being removed: counted as stored by nobody, read by nobody."""
    sync_client().xack(INGRESS.keys(1)[0], "writer", ingress[4].id)
    (found,), _ = differences()
    assert found.where == f"ingress:1 {ingress[4].id}"
    assert found.found == "forgotten"


def test_it_finds_an_entry_that_is_none_of_ours(ingress):
    entry_id = sync_client().xadd(INGRESS.keys(1)[0], {"b": b"yz", "more": "1", "n": 1})
    sync_client().incrby(INGRESS.keys(1)[1], 2 + 96)
    (found,), _ = differences()
    assert found.where == f"ingress:1 {entry_id.decode()}"


def test_it_does_not_blame_a_log_that_dropped_at_its_bound(monkeypatch):
    monkeypatch.setattr(STORED, "max_bytes", 1000)
    STORED.ensure_group(0, "live")
    for _ in range(4):
        STORED.append(0, PAYLOAD, 1)
    STORED.read(0, "live", count=4, block_ms=1)
    for _ in range(9):
        STORED.append(0, PAYLOAD, 1)
    assert STORED.depth(0).dropped > 0
    assert differences()[0] == []


def test_it_finds_lost_refusals_in_hand():
    QUARANTINE.ensure_group(0, "quarantine")
    QUARANTINE.append(0, b"refused", 1)
    (entry,) = QUARANTINE.read(0, "quarantine", count=1, block_ms=1)
    sync_client().delete(QUARANTINE.keys(0)[1])
    sync_client().xdel(QUARANTINE.keys(0)[0], entry.id)
    (found,), _ = differences()
    assert found.where == f"quarantine:0 {entry.id}"


def test_a_log_in_use_is_no_difference():
    """Appended to at one end and acknowledged at the other while it is walked."""
    INGRESS.ensure_group(2, "writer")
    for _ in range(200):
        INGRESS.append(2, PAYLOAD, 1)
    stop = threading.Event()

    def use():
        while not stop.is_set():
            for _ in range(3):
                INGRESS.append(2, PAYLOAD, 1)
            INGRESS.ack(2, "writer", INGRESS.read(2, "writer", count=3, block_ms=1))

    using = threading.Thread(target=use)
    using.start()
    try:
        walks = [differences() for _ in range(30)]
    finally:
        stop.set()
        using.join()
    assert all(found == [] for found, _ in walks)
    assert max(entries for _, entries in walks) >= 200
    sync_client().incrby(INGRESS.keys(2)[1], 1)
    assert len(differences()[0]) == 1
