"""Why is it silent? Each cause is found from its evidence, the strongest first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from telemetry.dark import Cause, DeviceEvidence, Evidence, Strength, explain
from telemetry.knocks import Knock

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=3)
DEVICE = DeviceEvidence(
    reference="D1",
    archived=False,
    has_credential=True,
    last_seen=LONG_AGO,
    skew=timedelta(milliseconds=120),
    refused=0,
    last_refusal_at=None,
    last_refusal_code="",
)
SILENT = Evidence(
    now=NOW,
    silent_after=timedelta(minutes=5),
    last_seen=LONG_AGO,
    was_moving=False,
    ignition=False,
    devices=[DEVICE],
    neighbours=10,
    neighbours_reporting=10,
)


def causes(evidence: Evidence) -> list[Cause]:
    return [finding.cause for finding in explain(evidence)]


def test_it_explains_nothing_of_what_reports() -> None:
    assert explain(replace(SILENT, last_seen=NOW - timedelta(seconds=10))) == []


@pytest.mark.parametrize(
    ("device", "cause"),
    [
        (replace(DEVICE, has_credential=False), Cause.CREDENTIAL_REVOKED),
        (replace(DEVICE, last_seen=None), Cause.NEVER_CONNECTED),
        (
            replace(DEVICE, refused=9, last_refusal_at=NOW, last_refusal_code="bad_time"),
            Cause.REFUSED,
        ),
        (replace(DEVICE, last_seen=NOW, skew=timedelta(hours=2)), Cause.CLOCK_BEHIND),
    ],
)
def test_it_names_the_proven_cause_first(device: DeviceEvidence, cause: Cause) -> None:
    findings = explain(replace(SILENT, devices=[device]))
    assert findings[0].cause == cause
    assert findings[0].strength == Strength.CERTAIN
    assert findings[0].device == "D1"


def test_it_tells_a_clock_that_is_ahead_from_other_refusals() -> None:
    ahead = replace(DEVICE, last_refusal_at=NOW, last_refusal_code="future_time")
    [clock] = [f for f in explain(replace(SILENT, devices=[ahead])) if f.device]
    assert clock.cause == Cause.CLOCK_AHEAD and "clock of D1 is ahead" in clock.title
    other = replace(DEVICE, last_refusal_at=NOW - timedelta(minutes=3), last_refusal_code="out_of_range")  # fmt: skip
    [refused] = [f for f in explain(replace(SILENT, devices=[other])) if f.device]
    assert refused.detail.startswith("The last was refused 3 min ago: “Out of range”")


@pytest.mark.parametrize(
    ("why", "cause", "strength"),
    [
        ("revoked", Cause.WRONG_CREDENTIAL, Strength.CERTAIN),
        ("wrong", Cause.WRONG_CREDENTIAL, Strength.LIKELY),
    ],
)
def test_it_knows_a_device_that_knocks_with_a_bad_credential(
    why: str, cause: Cause, strength: Strength
) -> None:
    knocks = replace(DEVICE, knock=Knock(NOW - timedelta(minutes=2), why))
    [found] = [f for f in explain(replace(SILENT, devices=[knocks])) if f.device]
    assert (found.cause, found.strength) == (cause, strength)
    assert "turned away 2 min ago" in found.detail
    never = replace(knocks, last_seen=None)
    assert explain(replace(SILENT, last_seen=None, devices=[never]))[0].cause == cause
    # What it was let in with since then was good.
    heard = replace(knocks, last_seen=NOW - timedelta(minutes=1))
    assert cause not in causes(replace(SILENT, devices=[heard]))
    assert cause not in causes(replace(SILENT, devices=[replace(knocks, connected=True)]))
    shut = replace(knocks, has_credential=False)
    [found] = [f for f in explain(replace(SILENT, devices=[shut])) if f.device]
    assert found.cause == Cause.CREDENTIAL_REVOKED and "turned away 2 min ago" in found.detail


def test_a_knock_while_it_was_archived_says_nothing_once_it_is_restored() -> None:
    knocked = replace(DEVICE, knock=Knock(NOW - timedelta(minutes=2), "archived"))
    assert causes(replace(SILENT, devices=[knocked])) == [Cause.ASLEEP]


def test_it_says_what_a_device_cannot_help() -> None:
    archived = replace(DEVICE, speaks_for="archived")
    assert causes(replace(SILENT, devices=[archived]))[0] == Cause.ARCHIVED
    nowhere = replace(DEVICE, speaks_for="nothing", last_seen=None)
    assert causes(replace(SILENT, last_seen=None, was_moving=None, devices=[nowhere])) == [
        Cause.NOT_INSTALLED
    ]


def test_it_tells_who_is_connected_from_who_is_out_of_coverage() -> None:
    here = replace(DEVICE, connected=True)
    assert causes(replace(SILENT, was_moving=True, devices=[here])) == [Cause.CONNECTED]
    never = replace(here, last_seen=None)
    [found] = explain(replace(SILENT, last_seen=None, was_moving=None, devices=[never]))
    assert "is connected and has never" in found.title


def test_a_clock_that_is_behind_shows_while_the_device_is_heard() -> None:
    late = replace(DEVICE, last_seen=NOW, skew=timedelta(hours=2))
    heard = replace(SILENT, last_seen=NOW, devices=[late])
    assert causes(heard) == [Cause.CLOCK_BEHIND]
    assert "2 h" in explain(heard)[0].detail


def test_it_says_that_we_take_nothing_in() -> None:
    found = explain(replace(SILENT, ingress_lag=None))[0]
    assert found.cause == Cause.OUR_OUTAGE and "cannot take readings in" in found.title


def test_it_puts_our_own_outage_before_everything() -> None:
    revoked = replace(DEVICE, has_credential=False)
    late = replace(SILENT, ingress_lag=timedelta(minutes=3), devices=[revoked])
    assert causes(late)[0] == Cause.OUR_OUTAGE


def test_it_forgives_refusals_that_good_readings_followed() -> None:
    mended = replace(DEVICE, refused=4, last_refusal_at=LONG_AGO - timedelta(hours=1))
    assert Cause.REFUSED not in causes(replace(SILENT, devices=[mended]))


def test_it_tells_a_sleeping_device_from_one_that_lost_its_network() -> None:
    assert causes(SILENT) == [Cause.ASLEEP]
    assert causes(replace(SILENT, was_moving=True)) == [Cause.NO_COVERAGE]


def test_it_suspects_the_network_when_everybody_is_silent() -> None:
    assert causes(replace(SILENT, neighbours_reporting=0))[0] == Cause.EVERYBODY_SILENT
    # Two neighbours prove nothing.
    few = replace(SILENT, neighbours=2, neighbours_reporting=0)
    assert Cause.EVERYBODY_SILENT not in causes(few)


def test_it_says_that_no_device_speaks_for_it() -> None:
    never = replace(SILENT, devices=[], last_seen=None, was_moving=None)
    assert causes(never) == [Cause.NO_DEVICE]
    retired = replace(SILENT, devices=[replace(DEVICE, archived=True)])
    assert Cause.NO_DEVICE in causes(retired)
