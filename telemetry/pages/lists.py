"""Lists of fleets, vehicles, meters and devices, with when each was last heard; and their export.

They are telemetry's because last seen is. What changes a row is on fleet's pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.db.models import (
    Count,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    Manager,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from fleet.models import Device, DeviceCredential, Fleet, Meter, Vehicle, VehicleKind
from fleet.pages.kinds import DEVICES, FLEETS, METERS, VEHICLES, Kind
from fleet.spreadsheets import csv_lines, xlsx_file
from fleet.tags import text_of
from telemetry.clock import to_us
from telemetry.models import DeviceHealth, MeterLatest, VehicleLatest
from telemetry.status import status_of
from tenants.models import Scope
from tenants.pages import MemberPage
from tenants.tables import Column, page_of

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
DEVICE_SILENT_AFTER_S = 300
SECOND = Value(timedelta(seconds=1), output_field=DurationField())

STATES: dict[str, str | Promise] = {
    "": _("In service"),
    "reporting": _("Reporting"),
    "silent": _("Silent"),
    "never": _("Never heard"),
    "archived": _("Archived"),
}


class ThingList(MemberPage):
    """Search, filters and sort stand in the address; htmx asks for the table alone."""

    kind: ClassVar[Kind]
    columns: ClassVar[Sequence[Column]]
    row_template: ClassVar[str]
    default_sort: ClassVar[str] = "name"
    states: ClassVar[Mapping[str, str | Promise]] = STATES
    scopes = {"GET": Scope.FLEET_READ}
    template_name = "things/list.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        everything = self.heard(self.kind.model.objects.for_tenant(self.tenant))
        page = page_of(
            self.filtered(everything),
            columns=self.columns,
            query=request.GET,
            default=self.default_sort,
        )
        self.enrich(page.rows)
        response = self.show(
            {
                "kind": self.kind,
                "table": page,
                "row_template": self.row_template,
                "states": self._states(everything),
                "fleets": self._fleets(),
                "kinds": VehicleKind.choices if self.kind is VEHICLES else [],
                "query": request.GET,
                "filtered": any(request.GET.get(n) for n in ("q", "fleet", "kind", "state")),
                "export_query": request.GET.urlencode(),
            },
            template="things/table.html" if self._wants_table() else "",
        )
        # One address, two shapes: a browser must not show the one where the other belongs.
        response["Vary"] = "HX-Request, Cookie"
        return response

    def _wants_table(self) -> bool:
        return self.is_fragment and "HX-History-Restore-Request" not in self.request.headers

    def heard(self, rows: QuerySet[Any]) -> Any:
        """Annotate `last_seen` (never NULL) and `dark_since`, before which a row is silent."""
        raise NotImplementedError

    def enrich(self, rows: Sequence[Any]) -> None:
        """Hang on the rows of one page what only the page shows."""

    def filtered(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        query = self.request.GET
        wanted = query.get("q", "").strip().replace("\x00", "")[:64]
        if wanted:
            rows = rows.filter(self.matching(wanted))
        fleet = query.get("fleet", "").replace("\x00", "")
        if fleet and self.kind in (VEHICLES, METERS):
            rows = rows.filter(fleet__reference=fleet)
        if self.kind is VEHICLES and query.get("kind") in VehicleKind.values:
            rows = rows.filter(kind=query["kind"])
        return rows.filter(self._in_state(query.get("state", "")))

    def matching(self, wanted: str) -> Q:
        return Q(reference__icontains=wanted) | Q(name__icontains=wanted)

    def _in_state(self, state: str) -> Q:
        if state == "archived":
            return Q(archived_at__isnull=False)
        in_service = Q(archived_at__isnull=True)
        now = timezone.now()
        silence = ExpressionWrapper(
            Value(now) - F("silent_s") * SECOND, output_field=DateTimeField()
        )
        if state == "reporting":
            return in_service & Q(last_seen__gte=silence)
        if state == "silent":
            return in_service & Q(last_seen__lt=silence, last_seen__gt=NEVER)
        if state == "never":
            return in_service & Q(last_seen=NEVER)
        return in_service

    def _states(self, rows: QuerySet[Any]) -> list[tuple[str, str | Promise, int]]:
        """Every state with how many rows are in it, in one query."""
        counts = rows.aggregate(
            **{f"n{i}": Count("pk", filter=self._in_state(s)) for i, s in enumerate(self.states)}
        )
        return [(s, label, counts[f"n{i}"]) for i, (s, label) in enumerate(self.states.items())]

    def _fleets(self) -> list[Fleet]:
        if self.kind not in (VEHICLES, METERS):
            return []
        rows = Fleet.objects.for_tenant(self.tenant).filter(archived_at__isnull=True)
        return list(rows.order_by("name"))

    export_columns: ClassVar[Sequence[str]] = ()

    def exported(self, row: Any) -> Sequence[Any]:
        raise NotImplementedError


def latest(states: Manager[Any], key: str, field: str = "received_at") -> Any:
    """When the row was last heard; the epoch where it never was."""
    heard = states.filter(**{key: OuterRef("pk")}).values(field)[:1]
    return Coalesce(
        Subquery(heard, output_field=DateTimeField()), Value(NEVER, output_field=DateTimeField())
    )


class Vehicles(ThingList):
    kind = VEHICLES
    page = "vehicles"
    row_template = "things/rows/vehicle.html"
    columns = (
        Column("name", _("Vehicle"), "name"),
        Column("id", _("Id"), "reference"),
        Column("fleet", _("Fleet"), "fleet__name"),
        Column("plate", _("Plate"), "plate"),
        Column("status", _("Status")),
        Column("charge", _("Charge"), numeric=True),
        Column("seen", _("Last seen"), "last_seen", is_time=True),
    )
    export_columns = (
        "id", "name", "fleet", "kind", "plate", "battery_capacity_kwh", "silent_after_s",
        "tags", "last_seen", "archived_at",
    )  # fmt: skip

    def heard(self, rows: QuerySet[Any]) -> Any:
        rows = rows.select_related("fleet")
        return rows.annotate(
            last_seen=latest(VehicleLatest.objects, "vehicle_id"), silent_s=F("silent_after_s")
        )

    def matching(self, wanted: str) -> Q:
        return super().matching(wanted) | Q(plate__icontains=wanted)

    def enrich(self, rows: Sequence[Vehicle]) -> None:
        states = VehicleLatest.objects.filter(tenant_id=self.tenant.pk).in_bulk(
            [row.pk for row in rows]
        )
        now = timezone.now()
        for row in rows:
            state = states.get(row.pk)
            row.state = state  # type: ignore[attr-defined]
            row.status = status_of(  # type: ignore[attr-defined]
                vars(state) if state else {},
                time_us=to_us(state.time) if state else None,
                received_us=to_us(state.received_at) if state else None,
                silent_after_s=row.silent_after_s,
                now_us=to_us(now),
            )

    def exported(self, row: Any) -> Sequence[Any]:
        return (
            row.reference, row.name, row.fleet.reference, row.kind, row.plate,
            row.battery_capacity_kwh, row.silent_after_s, text_of(row.tags),
            _seen(row), row.archived_at,
        )  # fmt: skip


class Meters(ThingList):
    kind = METERS
    page = "meters"
    row_template = "things/rows/meter.html"
    columns = (
        Column("name", _("Meter"), "name"),
        Column("id", _("Id"), "reference"),
        Column("fleet", _("Fleet"), "fleet__name"),
        Column("status", _("Status")),
        Column("power", _("Power"), numeric=True),
        Column("seen", _("Last seen"), "last_seen", is_time=True),
    )
    export_columns = ("id", "name", "fleet", "silent_after_s", "tags", "last_seen", "archived_at")

    def heard(self, rows: QuerySet[Any]) -> Any:
        return rows.select_related("fleet").annotate(
            last_seen=latest(MeterLatest.objects, "meter_id"), silent_s=F("silent_after_s")
        )

    def enrich(self, rows: Sequence[Meter]) -> None:
        states = MeterLatest.objects.filter(tenant_id=self.tenant.pk).in_bulk(
            [row.pk for row in rows]
        )
        for row in rows:
            row.state = states.get(row.pk)  # type: ignore[attr-defined]
            row.hearing = hearing(row, row.silent_after_s)  # type: ignore[attr-defined]

    def exported(self, row: Any) -> Sequence[Any]:
        return (
            row.reference, row.name, row.fleet.reference, row.silent_after_s,
            text_of(row.tags), _seen(row), row.archived_at,
        )  # fmt: skip


class Devices(ThingList):
    kind = DEVICES
    page = "devices"
    row_template = "things/rows/device.html"
    columns = (
        Column("name", _("Device"), "name"),
        Column("id", _("Id"), "reference"),
        Column("subject", _("Speaks for")),
        Column("status", _("Status")),
        Column("lag", _("Lag"), numeric=True),
        Column("refused", _("Refused"), numeric=True),
        Column("seen", _("Last seen"), "last_seen", is_time=True),
    )
    export_columns = ("id", "name", "vehicle", "meter", "protocol", "last_seen", "archived_at")

    def heard(self, rows: QuerySet[Any]) -> Any:
        return rows.select_related("vehicle", "meter").annotate(
            last_seen=latest(DeviceHealth.objects, "device_id", "last_seen"),
            silent_s=Coalesce(
                "vehicle__silent_after_s", "meter__silent_after_s", DEVICE_SILENT_AFTER_S
            ),
        )

    def enrich(self, rows: Sequence[Device]) -> None:
        ids = [row.pk for row in rows]
        health = DeviceHealth.objects.filter(tenant_id=self.tenant.pk).in_bulk(ids)
        live = set(
            DeviceCredential.objects.for_tenant(self.tenant)
            .filter(device_id__in=ids, revoked_at__isnull=True)
            .values_list("device_id", flat=True)
        )
        for row in rows:
            row.health = health.get(row.pk)  # type: ignore[attr-defined]
            row.has_credential = row.pk in live  # type: ignore[attr-defined]
            row.hearing = hearing(row, row.silent_s)  # type: ignore[attr-defined]

    def exported(self, row: Any) -> Sequence[Any]:
        return (
            row.reference, row.name, row.vehicle.reference if row.vehicle else None,
            row.meter.reference if row.meter else None, row.protocol, _seen(row), row.archived_at,
        )  # fmt: skip


class Fleets(ThingList):
    kind = FLEETS
    page = "fleets"
    row_template = "things/rows/fleet.html"
    states = {"": STATES[""], "archived": STATES["archived"]}
    columns = (
        Column("name", _("Fleet"), "name"),
        Column("id", _("Id"), "reference"),
        Column("vehicles", _("Vehicles"), "vehicle_count", numeric=True),
        Column("meters", _("Meters"), "meter_count", numeric=True),
        Column("seen", _("Last seen"), "last_seen", is_time=True),
    )
    export_columns = ("id", "name", "archived_at")

    def heard(self, rows: QuerySet[Any]) -> Any:
        in_service = Q(archived_at__isnull=True)
        vehicles = Vehicle.objects.for_tenant(self.tenant).filter(in_service)
        meters = Meter.objects.for_tenant(self.tenant).filter(in_service)
        newest = (
            vehicles.filter(fleet=OuterRef("pk"))
            .annotate(seen=latest(VehicleLatest.objects, "vehicle_id"))
            .order_by("-seen")
            .values("seen")[:1]
        )
        return rows.annotate(
            vehicle_count=_counted(vehicles),
            meter_count=_counted(meters),
            last_seen=Coalesce(Subquery(newest), Value(NEVER, output_field=DateTimeField())),
        )

    def exported(self, row: Any) -> Sequence[Any]:
        return (row.reference, row.name, row.archived_at)


class Export(MemberPage):
    """What the list shows, all pages of it, as CSV or XLSX."""

    listing: ClassVar[type[ThingList]] = Vehicles
    scopes = {"GET": Scope.FLEET_READ}

    def get(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        listing = self.listing()
        listing.setup(request)
        listing.actor = self.actor
        rows = listing.filtered(listing.heard(listing.kind.model.objects.for_tenant(self.tenant)))
        lines = self._lines(listing, rows.order_by("reference"))
        name = f"{listing.kind.plural}-{timezone.now():%Y-%m-%d}"
        response: HttpResponse | StreamingHttpResponse
        if request.GET.get("format") == "xlsx":
            response = HttpResponse(
                xlsx_file(listing.export_columns, lines),
                content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            )
            name += ".xlsx"
        else:
            response = StreamingHttpResponse(
                csv_lines(listing.export_columns, lines), content_type="text/csv; charset=utf-8"
            )
            name += ".csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["Cache-Control"] = "private, no-store"
        return response

    def _lines(self, listing: ThingList, rows: QuerySet[Any]) -> Iterator[Sequence[Any]]:
        for row in rows.iterator(chunk_size=1000):
            yield listing.exported(row)


def hearing(row: Any, silent_after_s: int) -> str:
    """`reporting`, `silent` or `never`: of what has no status of its own."""
    if row.last_seen == NEVER:
        return "never"
    age = (timezone.now() - row.last_seen).total_seconds()
    return "silent" if age > silent_after_s else "reporting"


def _counted(rows: QuerySet[Any]) -> Any:
    inside = rows.filter(fleet=OuterRef("pk")).order_by().values("fleet")
    return Coalesce(Subquery(inside.annotate(n=Count("pk")).values("n")), 0)


def _seen(row: Any) -> datetime | None:
    return None if row.last_seen == NEVER else row.last_seen
