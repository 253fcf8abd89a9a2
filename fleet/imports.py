"""Bulk import: every row is checked as a form checks it, all are written or none is.

An id that is there already is changed: only the columns in the file, and only where they
differ. So a file that was exported, edited and imported again does what was edited.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from fleet import services, vin
from fleet.forms import DeviceForm, ReferencedForm, fleets_in_service, initial_of
from fleet.models import Device, Meter, Referenced, Vehicle
from fleet.pages.kinds import DEVICES, Kind
from tenants.actors import Actor
from tenants.errors import DomainError
from tenants.models import Organisation

ALIASES: Final = {"id": "reference", "battery_kwh": "battery_capacity_kwh"}
IGNORED: Final = frozenset({"created_at", "archived_at", "last_seen", "vin_pseudonym", "status"})
"""Columns of our own exports that are not for writing."""

CREATE: Final = "create"
CHANGE: Final = "change"
UNCHANGED: Final = "unchanged"


@dataclass
class ImportRow:
    """`number` as the spreadsheet shows it; `errors`: (column, sentence)."""

    number: int
    cells: dict[str, str]
    action: str = CREATE
    values: dict[str, Any] = field(default_factory=dict)
    errors: list[tuple[str, str]] = field(default_factory=list)
    existing: Referenced | None = None

    @property
    def reference(self) -> str:
        return self.cells.get("reference", "")


@dataclass
class Plan:
    """What an import would do."""

    kind: Kind
    columns: list[str]
    rows: list[ImportRow]
    refusal: str = ""

    @property
    def bad(self) -> list[ImportRow]:
        return [row for row in self.rows if row.errors]

    @property
    def is_possible(self) -> bool:
        return bool(self.rows) and not self.bad and not self.refusal

    def count(self, action: str) -> int:
        return sum(1 for row in self.rows if row.action == action and not row.errors)

    @property
    def creates(self) -> int:
        return self.count(CREATE)

    @property
    def changes(self) -> int:
        return self.count(CHANGE)

    @property
    def unchanged(self) -> int:
        return self.count(UNCHANGED)


def form_fields(kind: Kind) -> list[str]:
    """The columns an import of this kind takes, the required ones first."""
    return list(_form_of(kind).base_fields)


def plan_import(kind: Kind, table: Iterable[Mapping[str, str]], *, actor: Actor) -> Plan:
    """Check every row; a handful of queries however many rows there are."""
    tenant = actor.tenant
    form = _form_of(kind)
    rows = [
        ImportRow(number, {ALIASES.get(head, head): cell for head, cell in cells.items()})
        for number, cells in enumerate(table, start=2)
    ]
    if not rows:
        return Plan(kind, [], [], _("There is no row below the headings."))
    columns = [head for head in rows[0].cells if head not in IGNORED]
    unknown = [head for head in columns if head not in form.base_fields]
    if unknown:
        sentence = _("Unknown columns: %(names)s. Known ones: %(known)s.")
        names = {"names": ", ".join(unknown[:8]), "known": ", ".join(form_fields(kind))}
        return Plan(kind, columns, rows, sentence % names)
    if "reference" not in columns:
        return Plan(kind, columns, rows, _("There is no column “id”."))
    existing = _existing(kind, rows, tenant)
    check = _Checker(kind, form, columns, existing, tenant)
    for row in rows:
        check(row)
    _refuse_doubles(rows)
    if kind.model is Vehicle:
        _refuse_known_vins(rows, tenant)
    return Plan(kind, columns, rows)


@transaction.atomic
def apply_import(plan: Plan, *, actor: Actor) -> list[tuple[Device, str]]:
    """Write all rows or, by raising `DomainError` with the row's number, none.

    Returns the secrets of new devices, which nobody can show again.
    """
    secrets = []
    for row in plan.rows:
        try:
            with transaction.atomic():
                if row.action == CREATE and plan.kind is DEVICES:
                    secrets.append(services.provision_device(actor=actor, **row.values))
                elif row.action == CREATE and plan.kind.create is not None:
                    plan.kind.create(actor=actor, **row.values)
                elif row.action == CHANGE and plan.kind.update is not None:
                    plan.kind.update(actor=actor, row=row.existing, **row.values)
        except DomainError as error:
            sentence = _("Row %(n)d: %(why)s Nothing was imported.")
            detail = sentence % {"n": row.number, "why": error.detail}
            raise DomainError(error.code, error.status, detail) from error
    return secrets


def _form_of(kind: Kind) -> type[ReferencedForm]:
    return DeviceForm if kind is DEVICES else (kind.form or ReferencedForm)


def _existing(kind: Kind, rows: Sequence[ImportRow], tenant: Organisation) -> dict[str, Referenced]:
    wanted = {row.reference for row in rows if "\x00" not in row.reference}
    found = kind.model.objects.for_tenant(tenant).select_related(*kind.joined)
    return {row.reference: row for row in found.filter(reference__in=wanted)}


class _Checker:
    """Runs the kind's form over a row, with what it needs read beforehand."""

    def __init__(
        self,
        kind: Kind,
        form: type[ReferencedForm],
        columns: Sequence[str],
        existing: Mapping[str, Referenced],
        tenant: Organisation,
    ) -> None:
        self._kind = kind
        self._form = form
        self._columns = columns
        self._existing = existing
        self._options: dict[str, Any] = {"fleets": fleets_in_service(tenant)}
        if form is DeviceForm:
            self._options["tenant"] = tenant
            self._options["subjects"] = {
                model: _in_service(model, tenant) for model in (Vehicle, Meter)
            }

    def __call__(self, row: ImportRow) -> None:
        row.existing = self._existing.get(row.reference)
        data = {name: row.cells.get(name, "") for name in self._columns}
        if row.existing is not None:
            if row.existing.archived_at is not None:
                row.errors.append(("reference", _("This is archived: restore it first.")))
                return
            if self._kind is DEVICES:
                row.errors.append(("reference", _("Another device has this id.")))
                return
            data = {**_as_typed(row.existing), **data}
        form = self._form(data, **self._options)
        if not form.is_valid():
            for name, problems in form.errors.items():
                row.errors += [(name, str(problem)) for problem in problems]
            return
        row.values = form.cleaned_data
        if row.existing is not None:
            row.values = {
                name: value
                for name, value in row.values.items()
                if name in self._columns and _differs(row.existing, name, value)
            }
            row.action = CHANGE if row.values else UNCHANGED


def _in_service(model: type[Vehicle] | type[Meter], tenant: Organisation) -> dict[str, Any]:
    rows = model.objects.for_tenant(tenant).filter(archived_at__isnull=True)
    return {row.reference: row for row in rows}


def _as_typed(row: Any) -> dict[str, Any]:
    return {name: "" if value is None else value for name, value in initial_of(row).items()}


def _differs(row: Referenced, name: str, value: Any) -> bool:
    if name == "vin":
        if value is None or not isinstance(row, Vehicle):
            return False
        wanted = vin.pseudonym(vin.CheckedVin(value, verified=False), tenant_id=row.tenant_id)
        return wanted != row.vin_pseudonym
    return bool(getattr(row, name) != value)


def _refuse_doubles(rows: Sequence[ImportRow]) -> None:
    for column in ("reference", "vin"):
        first: dict[str, int] = {}
        for row in rows:
            value = row.values.get(column) or (row.reference if column == "reference" else "")
            if not value:
                continue
            if value in first:
                sentence = _("The same as in row %(n)d.") % {"n": first[value]}
                row.errors.append((column, sentence))
            else:
                first[value] = row.number


def _refuse_known_vins(rows: Sequence[ImportRow], tenant: Organisation) -> None:
    wanted: dict[str, ImportRow] = {}
    for row in rows:
        number = row.values.get("vin")
        if number:
            checked = vin.CheckedVin(number, verified=False)
            wanted[vin.pseudonym(checked, tenant_id=tenant.pk)] = row
    taken = Vehicle.objects.for_tenant(tenant).filter(vin_pseudonym__in=list(wanted))
    for pseudonym, reference in taken.values_list("vin_pseudonym", "reference"):
        row = wanted[pseudonym]
        if row.reference != reference:
            row.errors.append(("vin", _("Another vehicle has this VIN.")))
