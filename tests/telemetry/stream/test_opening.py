"""Who may open an event stream and with what: strangers first."""

from urllib.parse import quote

import pytest

from tests.telemetry.dashboards import Yard, aside, of, session_of
from tests.telemetry.stream.events import tell_alert

pytestmark = pytest.mark.usefixtures("committed", "empty_logs")


@pytest.mark.parametrize("query", [
    "fleet=F1", "fleets=", "fleets=,", "fleets=F1,", "fleets=F1&fleets=F2", "vehicles=",
    "fleets=" + "x" * 65, "fleets=" + ",".join("x" * 1001), "fleets=%00", "fleets=F1%0Adata:x",
    "alerts=yes", "alerts=", "fleets=NONE", "vehicles=NONE", "fleets=NONE&vehicles=NONE",
    "after=1&x=" + "y" * 70_000, "=", "vehicles=%ff",
])  # fmt: skip
async def test_it_refuses_a_query_that_makes_no_sense(vehicle, secret, streams, query):
    one = await streams(query, secret=secret)
    assert one.status == 422
    told = await one.problem()
    assert told["code"] == "invalid" and told["errors"][0]["detail"]


@pytest.mark.parametrize(("options", "status", "code"), [
    ({}, 401, "not_authenticated"),
    ({"secret": "ort_abcdefghijkl_nonsense"}, 401, "token_invalid"),
    ({"secret": "\x00"}, 401, "token_invalid"),
    ({"headers": [(b"authorization", b"Basic x")]}, 401, "token_invalid"),
    ({"headers": [(b"cookie", b"sessionid=nonsense")]}, 401, "not_authenticated"),
    ({"headers": [(b"cookie", b"sessionid=" + b"x" * 5000)]}, 401, "not_authenticated"),
    ({"method": "POST"}, 405, "method_not_allowed"),
    ({"method": "OPTIONS"}, 405, "method_not_allowed"),
    ({"host": b"elsewhere.example"}, 400, "bad_request"),
    ({"scheme": "http"}, 403, "https_required"),
])  # fmt: skip
async def test_it_refuses_whoever_is_nobody(yard, streams, options, status, code):
    one = await streams(**options)
    assert one.status == status
    told = await one.problem()
    assert (told["code"], told["status"]) == (code, status)
    assert one.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in one.headers) == (status == 401)


async def test_it_refuses_a_token_that_may_only_send(yard, streams):
    _, secret = await aside(yard.token)("telemetry:write")
    one = await streams(secret=secret)
    assert (one.status, (await one.problem())["code"]) == (403, "scope_missing")


async def test_it_lets_a_member_in_by_session_from_our_own_pages_only(yard, vehicle, streams):
    session = await aside(session_of)(yard.user)
    cookie = (b"cookie", f"sessionid={session.session_key}".encode())
    outcomes = []
    for origin in (None, b"https://localhost", b"https://elsewhere.example", b"null", b"http://["):
        headers = [cookie] + ([(b"origin", origin)] if origin else [])
        outcomes.append((await streams(headers=headers)).status)
    assert outcomes == [200, 200, 403, 403, 403]


async def test_it_shows_an_outsider_nothing(yard, vehicle, streams):
    other = await aside(lambda: Yard(yard.store))()
    await aside(yard.add_fleet)("SECRET")
    strangers = (await aside(other.token)())[1]
    refused = await streams("fleets=SECRET&vehicles=V1", secret=strangers)
    assert refused.status == 422
    one = await streams("fleets=F1,SECRET&vehicles=V1", secret=strangers)
    missing = await one.next("error")
    assert (missing["code"], missing["names"]) == ("not_found", ["fleet:SECRET", "vehicle:V1"])
    assert (await one.next("snapshot"))["vehicles"] == []
    await aside(yard.say)(of(yard, vehicle, soc_pct=1.0))
    await aside(tell_alert)(yard, "alert.opened", "theirs")
    assert await one.nothing()


NONSENSE = [
    "x", "1", "-1", "1.0.0", "\x00", "9" * 500, "1.zzzzzzzzzzzzzzzz.1.1.0-0",
    "1.0123456789abcdef.99999999999.1.0-0", "1.0123456789abcdef.1.99999999999999999999.0-0",
    "1.0123456789abcdef.1.1.0", "1.0123456789abcdef.1.1.0-0\n", "é", "١.0123456789abcdef.1.1.0-0",
]  # fmt: skip


@pytest.mark.parametrize("after", NONSENSE)
async def test_it_begins_anew_where_an_id_is_nonsense(yard, vehicle, secret, streams, after):
    await aside(yard.say)(of(yard, vehicle, soc_pct=80.0))
    one = await streams("after=" + quote(after), secret=secret)
    told = await one.next("resync")
    assert told["reason"] == "unknown" and told["detail"]
    assert (await one.next("snapshot"))["vehicles"][0]["state"]["values"] == {"soc_pct": 80.0}
