"""Why is it silent? Each cause is found from its evidence, the strongest first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from telemetry.dark import Cause, DeviceEvidence, Evidence, Strength, explain

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
