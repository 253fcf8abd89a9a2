"""Import and export: a preview that tells every row's fate, then all rows or none."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import pytest
import xlsxwriter
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from python_calamine import CalamineWorkbook

from fleet import services
from fleet.models import Device, Vehicle
from fleet.selectors import device_for_secret
from fleet.services import rows
from fleet.spreadsheets import read_table
from tenants.errors import DomainError
from tests.console.conftest import Company
from tests.people import NORTH_AMERICAN_VIN, acting


def upload(company: Company, content: str | bytes, *, of: str = "vehicles") -> Any:
    data = content.encode() if isinstance(content, str) else content
    file = SimpleUploadedFile("things.csv", data)
    return company.browser().post(reverse(f"{of}-import"), {"file": file})


def confirm(company: Company, preview: Any, *, of: str = "vehicles") -> Any:
    waiting = preview.context["waiting"]
    return company.browser().post(reverse(f"{of}-import"), {"waiting": waiting})


def vehicles(company: Company) -> set[str]:
    found = Vehicle.objects.for_tenant(company.tenant)
    return set(found.values_list("reference", flat=True))


def test_it_writes_nothing_before_it_is_confirmed(company: Company) -> None:
    preview = upload(company, "id,name,fleet\nV2,Second,F1\nV3,Third,F1\n")
    assert preview.context["plan"].creates == 2
    assert vehicles(company) == {"V1"}
    assert confirm(company, preview).status_code == 302
    assert vehicles(company) == {"V1", "V2", "V3"}


def test_it_shows_each_rows_errors_and_writes_none(company: Company) -> None:
    preview = upload(
        company,
        "id,name,fleet,silent_after_s,vin\n"
        "V2,Good,F1,300,\n"
        "bad id!,X,F1,300,\n"
        "V4,No fleet,F9,300,\n"
        "V5,Number,F1,soon,\n"
        "V2,Twice,F1,300,\n"
        "V6,Vin,F1,300,1M8GDM9AXKP042789\n",
    )
    bad = {row.number: dict(row.errors) for row in preview.context["bad"]}
    assert set(bad) == {3, 4, 5, 6, 7}
    assert "reference" in bad[3]
    assert "fleet" in bad[4]
    assert "silent_after_s" in bad[5]
    assert "row 2" in bad[6]["reference"]
    assert "check digit" in bad[7]["vin"]
    assert preview.context["waiting"] == ""
    assert vehicles(company) == {"V1"}


def test_it_changes_rows_that_are_there_and_only_what_the_file_names(company: Company) -> None:
    preview = upload(company, "id,name,fleet\nV1,Renamed,F1\n")
    assert preview.context["plan"].changes == 1
    confirm(company, preview)
    company.vehicle.refresh_from_db()
    assert (company.vehicle.name, company.vehicle.plate) == ("Renamed", "AB-1")


def test_it_writes_no_row_when_one_cannot_be_written(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = upload(company, "id,name,fleet\nV2,Second,F1\nV3,Third,F1\n")
    real = rows.create

    def fail_at_the_third(model: Any, **options: Any) -> Any:
        if options["fields"]["reference"] == "V3":
            raise DomainError("reference_taken", 409, "Taken meanwhile.")
        return real(model, **options)

    monkeypatch.setattr(rows, "create", fail_at_the_third)
    answer = confirm(company, preview)
    assert answer.status_code == 409
    assert "Row 3" in answer.content.decode()
    assert vehicles(company) == {"V1"}


def test_it_keeps_no_vin_in_clear_while_a_preview_waits(company: Company) -> None:
    preview = upload(company, f"id,name,fleet,vin\nV2,Second,F1,{NORTH_AMERICAN_VIN}\n")
    assert NORTH_AMERICAN_VIN not in preview.content.decode()
    keys = cache._cache.get_client().keys("*import*")
    held = b"".join(cache._cache.get_client().get(key) for key in keys)
    assert keys
    assert NORTH_AMERICAN_VIN.encode() not in held
    confirm(company, preview)
    assert Vehicle.objects.for_tenant(company.tenant).get(reference="V2").vin_pseudonym


def test_it_lets_nobody_confirm_anothers_preview(company: Company, stranger: Company) -> None:
    preview = upload(company, "id,name,fleet\nV2,Second,F1\n")
    answer = confirm(stranger, preview)
    assert answer.status_code == 302
    assert vehicles(stranger) == {"V1"}


def test_it_checks_many_rows_with_a_handful_of_queries(
    company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    lines = "".join(f"W{n},Van {n},F1\n" for n in range(500))
    company.browser()
    with django_assert_max_num_queries(12):
        preview = upload(company, "id,name,fleet\n" + lines)
    assert preview.context["plan"].creates == 500


def test_it_hands_out_the_credentials_of_imported_devices_once(company: Company) -> None:
    preview = upload(company, "id,name,vehicle\nD2,Second,V1\n", of="devices")
    answer = confirm(company, preview, of="devices")
    page = answer.content.decode()
    match = re.search(r'data-file="([^"]+)"', page)
    assert match
    line = base64.b64decode(match[1]).decode("utf-8-sig").splitlines()[1]
    identity = device_for_secret(line.split(",")[2])
    assert identity is not None
    assert identity.reference == "D2"
    assert answer["Cache-Control"] == "no-store"
    assert Device.objects.for_tenant(company.tenant).count() == 2


def workbook(*rows: list[Any]) -> bytes:
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True})
    sheet = book.add_worksheet()
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    book.close()
    return target.getvalue()


def test_it_takes_tags_parted_by_commas(company: Company) -> None:
    tagged = 'id,name,fleet,tags\nV1,First,F1,"night, cold"\nV2,Second,F1,\n'
    preview = upload(company, tagged)
    assert preview.context["plan"].changes == preview.context["plan"].creates == 1
    confirm(company, preview)
    company.vehicle.refresh_from_db()
    assert company.vehicle.tags == ["cold", "night"]
    assert upload(company, tagged).context["plan"].unchanged == 2
    too_long = upload(company, f"id,name,fleet,tags\nV1,First,F1,{'x' * 41}\n")
    assert "tags" in dict(too_long.context["bad"][0].errors)


def test_it_reads_whole_numbers_of_a_workbook_as_they_look(company: Company) -> None:
    content = workbook(["Id", "Name", "Fleet", "Silent after s"], [42, "Van", "F1", 600])
    assert read_table("x.xlsx", content) == [
        {"id": "42", "name": "Van", "fleet": "F1", "silent_after_s": "600"}
    ]
    confirm(company, upload(company, content))
    assert Vehicle.objects.for_tenant(company.tenant).get(reference="42").silent_after_s == 600


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x01\x02",
        b"PK\x03\x04 not a zip",
        "id,name\né".encode("latin-1"),
        b'id,name\n"open,\n',
        b"id,id\nx,y\n",
        b"id,name\n" + b"x,y\n" * 5001,
        b"id,name\nx,y,z\n",
        b"nothing,known\n1,2\n",
        b"id,name,fleet\n",
        b"name,fleet\nx,F1\n",
    ],
)
def test_it_says_what_is_wrong_with_a_file_it_cannot_read(company: Company, content: bytes) -> None:
    answer = upload(company, content)
    assert answer.status_code in (200, 422)
    assert 'role="alert"' in answer.content.decode()
    assert not answer.context.get("waiting")


def test_it_exports_what_it_can_import_again(company: Company) -> None:
    services.update_vehicle(actor=acting(company.tenant), vehicle=company.vehicle, name="-Van")
    answer = company.browser().get(reverse("vehicles-export"), {"format": "csv"})
    content = b"".join(answer)
    assert b"'-Van" in content
    preview = upload(company, content)
    assert preview.context["plan"].unchanged == 1
    assert not preview.context["bad"]


def test_it_writes_formulas_as_text_into_workbooks(company: Company) -> None:
    name = "=HYPERLINK(1)"
    services.update_vehicle(actor=acting(company.tenant), vehicle=company.vehicle, name=name)
    answer = company.browser().get(reverse("vehicles-export"), {"format": "xlsx"})
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0)
    assert sheet.to_python()[1][:3] == ["V1", name, "F1"]
    assert b"<f>" not in answer.content


def test_it_exports_no_other_organisations_rows(company: Company, stranger: Company) -> None:
    answer = company.browser().get(reverse("devices-export"))
    assert b"Zephyr" not in b"".join(answer)
