"""What a rule looked at, from history: thinned with the extremes kept, broken where silent."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from alerts.engine.comparing import Limit, is_number
from alerts.engine.derived import Age, RateOfChange
from alerts.engine.metrics import ATTRIBUTE, IDLE_CURRENT_A, UnknownMetric, metric
from alerts.engine.spec import RuleSpec
from alerts.history import last_heard, presence
from alerts.kinds.kind import params_of
from alerts.kinds.rate_of_change import Params as RateParams
from alerts.kinds.silence import silent_after
from alerts.kinds.threshold import conditions_of
from telemetry.fields import METER_FIELDS, VEHICLE_FIELDS, Kind

BUCKETS: Final = 700
"""Beyond four times as many samples, the least and the greatest of each bucket stand for it."""
_TABLES: Final = {
    "v": ("telemetry_vehicle_reading", "vehicle_id"),
    "m": ("telemetry_meter_reading", "meter_id"),
}
_NO_ENERGY: Final = f"""(CASE WHEN charging IS NULL THEN NULL WHEN NOT charging THEN 0
  WHEN energy_dc_kwh IS NOT NULL THEN (energy_dc_kwh <= 0)::int
  WHEN battery_current_a IS NOT NULL THEN (abs(battery_current_a) < {IDLE_CURRENT_A})::int END)"""
_ATTRIBUTE: Final = """(CASE jsonb_typeof(attributes -> %s)
  WHEN 'number' THEN (attributes ->> %s)::double precision
  WHEN 'boolean' THEN (attributes ->> %s)::boolean::int END)"""


@dataclass(frozen=True, slots=True)
class Series:
    """Times in milliseconds since 1970; None breaks the line."""

    name: str
    label: str
    unit: str
    times: list[int]
    values: list[float | None]
    thresholds: list[tuple[str, float]]
    """("opens" or "clears", value)"""
    steps: bool = False
    """Yes or no, drawn as steps."""


def series_of(
    spec: RuleSpec, subject_id: int, start: datetime, end: datetime, *, gap: timedelta
) -> list[Series]:
    """The series a rule of this kind is judged by, those that are numbers or yes and no."""
    if spec.kind == "silence":
        return [_silence(spec, subject_id, start, end)]
    if spec.kind == "device_alarm":
        expression = "(coalesce(cardinality(alarms), 0) > 0)::int"
        points = _read(spec.subject, subject_id, expression, [], start, end)
        times, values = broken(points, gap)
        return [Series("alarms", "Alarms", "", times, values, [], steps=True)]
    if spec.kind == "rate_of_change":
        return _rate(spec, subject_id, start, end, gap)
    if spec.kind != "threshold":
        return []
    found: list[Series] = []
    conditions = conditions_of(spec)
    for name, one in {each.name: each for each in conditions}.items():
        if isinstance(one.derived, RateOfChange):
            series = _slope(spec.subject, subject_id, one.derived, start, end)
        elif isinstance(one.derived, Age):
            series = _age(spec.subject, subject_id, one.derived, start, end, gap)
        else:
            series = _metric_series(spec.subject, subject_id, one.metric, start, end, gap)
        if series is not None:
            limits = [each.limit for each in conditions if each.name == name]
            series.thresholds.extend(mark for limit in limits for mark in _marks(limit))
            found.append(series)
    return found


def _marks(limit: Limit) -> Iterator[tuple[str, float]]:
    if is_number(limit.value):
        yield "opens", float(limit.value)
    if limit.clear is not None:
        yield "clears", limit.clear


def _metric_series(
    subject: str, subject_id: int, name: str, start: datetime, end: datetime, gap: timedelta
) -> Series | None:
    try:
        about = metric(subject, name)
    except UnknownMetric:
        return None
    expression, arguments = _expression(subject, name, about.kind)
    if not expression:
        return None
    times, values = broken(_read(subject, subject_id, expression, arguments, start, end), gap)
    steps = about.kind is Kind.BOOLEAN
    return Series(name, about.label, about.unit, times, values, [], steps=steps)


def _expression(subject: str, name: str, kind: Kind) -> tuple[str, list[Any]]:
    """SQL of a metric and its arguments; "" for a text. Names come from the table of fields."""
    if name.startswith(ATTRIBUTE):
        return _ATTRIBUTE, [name.removeprefix(ATTRIBUTE)] * 3
    if name == "ingest_lag_s":
        return "extract(epoch FROM received_at - time)::double precision", []
    if name == "charging_without_energy":
        return _NO_ENERGY, []
    fields = VEHICLE_FIELDS if subject == "v" else METER_FIELDS
    if name not in fields or kind is Kind.TEXT:
        return "", []
    return (f"{name}::int" if kind is Kind.BOOLEAN else f"{name}::double precision"), []


def _read(
    subject: str,
    subject_id: int,
    expression: str,
    arguments: list[Any],
    start: datetime,
    end: datetime,
    *,
    clock: str = "time",
) -> list[tuple[int, float]]:
    table, key = _TABLES[subject]
    samples = (
        f"SELECT {clock} AS at, {expression} AS v FROM {table}"  # noqa: S608 (names of our own)
        f" WHERE {key} = %s AND time >= %s AND time < %s"
    )
    chosen = [*arguments, subject_id, start, end]
    width = (end - start).total_seconds() / BUCKETS
    sql = f"""
        WITH s AS MATERIALIZED (SELECT * FROM ({samples}) one WHERE v IS NOT NULL)
        SELECT (extract(epoch FROM at) * 1000)::bigint, v::double precision FROM s
        WHERE (SELECT count(*) FROM s) <= %s
        UNION
        SELECT (extract(epoch FROM unnest(ARRAY[first(at, v), last(at, v)])) * 1000)::bigint,
               unnest(ARRAY[min(v), max(v)])::double precision
        FROM s WHERE (SELECT count(*) FROM s) > %s
        GROUP BY time_bucket(make_interval(secs => %s), at)
        ORDER BY 1
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [*chosen, 4 * BUCKETS, 4 * BUCKETS, width])
        return [(int(at), float(value)) for at, value in cursor.fetchall()]


def broken(
    points: Sequence[tuple[int, float]], gap: timedelta
) -> tuple[list[int], list[float | None]]:
    """With a None where two samples lie further apart than `gap`."""
    longest = gap.total_seconds() * 1000
    times: list[int] = []
    values: list[float | None] = []
    for at, value in points:
        if times and at - times[-1] > longest:
            times.append(times[-1] + 1)
            values.append(None)
        times.append(at)
        values.append(round(value, 6))
    return times, values


def _silence(spec: RuleSpec, subject_id: int, start: datetime, end: datetime) -> Series:
    """Seconds since it was last heard, as they were when it spoke again."""
    after = float(silent_after(spec))
    expression = (
        "extract(epoch FROM received_at - lag(received_at) OVER (ORDER BY received_at))"
        "::double precision"
    )
    points = _read(spec.subject, subject_id, expression, [], start, end, clock="received_at")
    points.extend(_silent_now(spec, subject_id, end))
    times = [at for at, _ in points]
    values: list[float | None] = [round(value, 1) for _, value in points]
    return Series("silence", "Since last heard", "s", times, values, [("opens", after)])


def _silent_now(spec: RuleSpec, subject_id: int, end: datetime) -> list[tuple[int, float]]:
    table, key = _TABLES[spec.subject]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT max(received_at) FROM {table} WHERE {key} = %s AND time < %s"  # noqa: S608
            " AND time > %s",
            [subject_id, end, end - timedelta(days=31)],
        )
        heard = cursor.fetchone()[0]
    if heard is None or heard >= end:
        return []
    return [(round(end.timestamp() * 1000), (end - heard).total_seconds())]


def _rate(
    spec: RuleSpec, subject_id: int, start: datetime, end: datetime, gap: timedelta
) -> list[Series]:
    """The value itself, and its slope over the rule's window, which is what is judged."""
    params = params_of(spec, RateParams)
    plain = _metric_series(spec.subject, subject_id, params.metric, start, end, gap)
    slope = _slope(spec.subject, subject_id, params.derived, start, end)
    if plain is None or slope is None:
        return []
    slope.thresholds.extend(_marks(params.limit))
    return [slope, plain]


def _slope(
    subject: str, subject_id: int, rate: RateOfChange, start: datetime, end: datetime
) -> Series | None:
    """Of a window that is full where the chart begins."""
    window = timedelta(seconds=rate.window_s)
    plain = _metric_series(subject, subject_id, rate.of, start - window, end, window)
    if plain is None:
        return None
    times, values = slopes(plain.times, plain.values, rate.window_s * 1000)
    first = bisect_left(times, round(start.timestamp() * 1000))
    about = rate.about(subject)
    return Series(rate.name, about.label, about.unit, times[first:], values[first:], [])


def _age(
    subject: str, subject_id: int, age: Age, start: datetime, end: datetime, gap: timedelta
) -> Series:
    present, arguments = presence(age.of)
    heard = last_heard(subject, subject_id, age.of, before=start)
    expression = (
        "extract(epoch FROM time - coalesce("
        f"max(time) FILTER (WHERE {present}) OVER (ORDER BY time, reading_id), %s"
        "))::double precision"
    )
    points = _read(subject, subject_id, expression, [*arguments, heard], start, end)
    times, values = broken(points, gap)
    about = age.about(subject)
    return Series(age.name, about.label, about.unit, times, values, [])


def slopes(
    times: Sequence[int], values: Sequence[float | None], window: int
) -> tuple[list[int], list[float | None]]:
    """(newest - oldest) / distance in minutes, within a window that half is known of."""
    found_at: list[int] = []
    found: list[float | None] = []
    oldest = 0
    known = [(at, v) for at, v in zip(times, values, strict=True) if v is not None]
    for at, value in known:
        while at - known[oldest][0] > window:
            oldest += 1
        span = at - known[oldest][0]
        if span >= window // 2 and span > 0:
            found_at.append(at)
            found.append(round((value - known[oldest][1]) / (span / 60_000), 4))
    return found_at, found


def track_of(subject_id: int, start: datetime, end: datetime, *, points: int = 2000) -> list[Any]:
    """[[milliseconds, longitude, latitude], …] of a vehicle, evenly thinned."""
    sql = """
        SELECT (extract(epoch FROM time) * 1000)::bigint, lon, lat FROM (
          SELECT time, lon, lat, row_number() OVER (ORDER BY time) AS nth, count(*) OVER () AS n
          FROM telemetry_vehicle_reading
          WHERE vehicle_id = %s AND time >= %s AND time <= %s AND lat IS NOT NULL
        ) one WHERE nth %% greatest(n / %s, 1) = 0 ORDER BY time
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, [subject_id, start, end, points])
        return [list(row) for row in cursor.fetchall()]
