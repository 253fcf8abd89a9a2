"""Import and export: a preview that tells every row's fate, then all rows or none."""

from __future__ import annotations

import base64
import io
import re
import resource
import struct
import time
import zipfile
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
from fleet.spreadsheets import MAX_FILE_BYTES, read_table
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


# --- Files made to hurt --------------------------------------------------------------------
MEGABYTE = b"x" * 1_000_000


def zipped(
    sheet: bytes, *, strings: bytes = b"", comment: int = 0, claims: int | None = None
) -> bytes:
    """A workbook of this one sheet, with so many megabytes of a comment in it; `claims`: the
    size that its directory gives for the sheet."""
    main = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook(["x"]))) as ordinary,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
    ):
        for name in ordinary.namelist():
            if name not in ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"):
                archive.writestr(name, ordinary.read(name))
        archive.writestr("xl/sharedStrings.xml", b'<sst xmlns="%s">%s</sst>' % (main, strings))
        with archive.open("xl/worksheets/sheet1.xml", "w") as written:
            written.write(b'<worksheet xmlns="%s"><sheetData>%s' % (main, sheet))
            for piece in (b"<!--", *([MEGABYTE] * comment), b"-->") if comment else ():
                written.write(piece)
            written.write(b"</sheetData></worksheet>")
        size = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    content = target.getvalue()
    if claims is None:
        return content
    assert content.count(struct.pack("<I", size)) >= 1
    return content.replace(struct.pack("<I", size), struct.pack("<I", claims))


def row(number: int, *cells: bytes) -> bytes:
    return b'<row r="%d">%s</row>' % (number, b"".join(cells))


def cell(place: str, text: str) -> bytes:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'.encode()


HEADINGS = row(1, cell("A1", "id"), cell("B1", "name"), cell("C1", "fleet"))
GOOD = row(2, cell("A2", "V2"), cell("B2", "Second"), cell("C2", "F1"))


def test_the_workbooks_of_these_tests_are_good_but_for_what_hurts(company: Company) -> None:
    assert upload(company, zipped(HEADINGS + GOOD)).context["plan"].creates == 1


@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("unpacks to gigabytes, and says so",
         lambda: zipped(HEADINGS + GOOD, comment=80)),
        ("unpacks to far more than its directory says",
         lambda: zipped(HEADINGS + GOOD, comment=900, claims=1000)),
        ("has one cell in each corner of the largest sheet there is",
         lambda: zipped(HEADINGS + row(1048576, cell("XFD1048576", "x")))),
        ("repeats one long text in every cell",
         lambda: zipped(
             b"".join(row(n, *(b'<c r="%s%d" t="s"><v>0</v></c>' % (c, n) for c in (b"A", b"B")))
                      for n in range(1, 4000)),
             strings=b"<si><t>" + b"x" * 2_000_000 + b"</t></si>")),
    ],
)  # fmt: skip
def test_a_workbook_that_would_take_the_machine_is_refused_and_nothing_written(
    company: Company, what: str, content: Any
) -> None:
    made = content()
    assert len(made) < MAX_FILE_BYTES, "small enough to be taken for a workbook"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    answer = upload(company, made)
    assert time.monotonic() - began < 30, what
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200 * 1024, f"{grown} KiB in the process that serves pages: {what}"
    assert answer.status_code == 422
    assert re.search(r"unpacks to more|too much memory|damaged", answer.content.decode()), what
    assert not answer.context.get("waiting")
    assert vehicles(company) == {"V1"}


def test_a_hundred_thousand_rows_are_refused_before_any_is_looked_at(
    company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    lines = "".join(f"W{n},Van {n},F1\n" for n in range(100_000))
    assert len(lines) < MAX_FILE_BYTES
    company.browser()
    began = time.monotonic()
    with django_assert_max_num_queries(8):
        answer = upload(company, "id,name,fleet\n" + lines)
    assert time.monotonic() - began < 5
    assert answer.status_code == 422
    assert "more than 5,000 rows" in answer.content.decode()
    assert vehicles(company) == {"V1"}
    many = zipped(HEADINGS + b"".join(
        row(n, cell(f"A{n}", f"W{n}"), cell(f"B{n}", "x"), cell(f"C{n}", "F1"))
        for n in range(2, 100_002)))  # fmt: skip
    answer = upload(company, many)
    assert "more than 5,000 rows" in answer.content.decode()
    assert vehicles(company) == {"V1"}


@pytest.mark.parametrize("content", [b"\n" * 4_000_000, b"," * 4_000_000, b'"' + b"x" * 4_000_000,
                                     b"id,name,fleet\n" + b",,\n" * 1_000_000])  # fmt: skip
def test_four_megabytes_of_nothing_take_no_minute(company: Company, content: bytes) -> None:
    began = time.monotonic()
    answer = upload(company, content)
    assert time.monotonic() - began < 10
    assert answer.status_code in (200, 422)
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
