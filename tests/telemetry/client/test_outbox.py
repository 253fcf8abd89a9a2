"""What a device holds: order, numbering, acknowledgement, loss at the bound."""

from hypothesis import given
from hypothesis import strategies as st

from telemetry.client.outbox import Outbox


def filled(count: int, capacity: int = 100) -> Outbox:
    box = Outbox(capacity)
    for number in range(count):
        box.add({"speed_kmh": number})
    return box


def test_it_numbers_readings_when_they_are_first_sent():
    box = filled(2)
    box.next_seq = 7
    assert [reading["seq"] for reading in box.take(10)] == [7, 8]


def test_it_keeps_the_number_of_a_reading_that_is_sent_again():
    box = filled(2)
    first = box.take(10)
    box.connection_lost()
    assert box.take(10) == first


def test_it_drops_what_an_acknowledgement_covers_and_nothing_else():
    box = filled(5)
    box.take(4)
    assert box.answered_up_to(2) == 3
    assert (len(box), box.in_flight, box.unsent) == (2, 1, 1)


def test_it_never_drops_an_unsent_reading_by_an_acknowledgement():
    box = filled(3)
    assert box.answered_up_to(10**9) == 0
    assert len(box) == 3


def test_it_gives_up_the_oldest_unsent_reading_at_its_bound():
    box = filled(3, capacity=3)
    box.take(1)
    box.add({"speed_kmh": 3})
    assert box.given_up == 1
    assert [reading["speed_kmh"] for reading in box.take(10)] == [2, 3]


@given(st.lists(st.sampled_from(["add", "take", "ack", "lose"]), max_size=200))
def test_it_delivers_every_reading_in_order_whatever_happens_on_the_way(steps):
    box, offered, delivered, sent = Outbox(10_000), 0, [], []
    for step in [*steps, "lose", "take", "ack"]:
        match step:
            case "add":
                box.add({"n": offered})
                offered += 1
            case "take":
                sent += box.take(10_000)
            case "lose":
                box.connection_lost()
                sent = []
            case "ack" if sent:
                delivered += sent
                box.answered_up_to(sent[-1]["seq"])
                sent = []
    assert [reading["n"] for reading in delivered] == list(range(offered))
    assert [reading["seq"] for reading in delivered] == list(range(offered))
    assert len(box) == 0
