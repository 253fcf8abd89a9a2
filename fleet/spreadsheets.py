"""Tables in and out as CSV and XLSX. Both come from and go to strangers' programs."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import xlsxwriter
from django.conf import settings
from django.utils.translation import gettext as _

from fleet.workbooks import TOO_LARGE
from tenants.errors import DomainError

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
MAX_UNPACKED_BYTES: Final = 64 * 1024 * 1024
MAX_ROWS: Final = 5000
MAX_COLUMNS: Final = 100
MAX_CELL: Final = 400
READING_S: Final = 30
# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection").
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def read_table(name: str, content: bytes) -> list[dict[str, str]]:
    """Rows by heading, in lower case with `_` for spaces; empty rows are left out.

    Raises `DomainError` with a sentence for whoever chose the file.
    """
    if len(content) > MAX_FILE_BYTES:
        raise _unreadable(_("The file is larger than 4 MB."))
    # An XLSX is a ZIP, whatever its name says.
    lines = _xlsx(content) if content.startswith(b"PK") else _csv(content)
    first = next((line for line in lines if any(line)), None)
    if first is None:
        raise _unreadable(_("The file is empty."))
    headings = [cell.strip().lower().replace(" ", "_") for cell in first]
    if len(headings) > MAX_COLUMNS:
        raise _unreadable(_("The file has more than 100 columns."))
    named = [heading for heading in headings if heading]
    if len(set(named)) != len(named):
        raise _unreadable(_("Two columns have the same heading."))
    rows: list[dict[str, str]] = []
    for line in lines:
        if not any(cell.strip() for cell in line):
            continue
        if len(rows) == MAX_ROWS:
            raise _unreadable(_("The file has more than 5,000 rows. Import it in parts."))
        if len(line) > len(headings) and any(line[len(headings) :]):
            number = len(rows) + 2
            raise _unreadable(_("Row %(n)d has more cells than headings.") % {"n": number})
        cells = [_unguarded(cell.strip())[:MAX_CELL] for cell in line]
        cells += [""] * (len(headings) - len(cells))
        rows.append({head: cell for head, cell in zip(headings, cells, strict=False) if head})
    return rows


def _csv(content: bytes) -> Iterator[list[str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _unreadable(_("The file is neither XLSX nor CSV in UTF-8.")) from None
    if "\x00" in text:
        raise _unreadable(_("The file is neither XLSX nor CSV in UTF-8."))
    heading = text.split("\n", 1)[0]
    # German and French spreadsheets write semicolons.
    delimiter = max(",;\t", key=heading.count)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise _unreadable(_("The CSV is damaged: %(why)s.") % {"why": error}) from None


def _xlsx(content: bytes) -> Iterator[list[str]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise _unreadable(_("The workbook unpacks to more than 64 MB."))
    except (zipfile.BadZipFile, ValueError, OSError):
        raise _unreadable(_("The workbook is damaged, or it is no XLSX.")) from None
    yield from _read_apart(content)


def _read_apart(content: bytes) -> list[list[str]]:
    """The rows, read by a process that may be made to end: see `fleet.workbooks`."""
    bounds = (MAX_ROWS + 2, MAX_COLUMNS + 1, MAX_CELL)
    command = [sys.executable, "-m", "fleet.workbooks", *map(str, bounds)]
    try:
        done = subprocess.run(
            command,
            input=content,
            capture_output=True,
            cwd=settings.BASE_DIR,
            env={},  # Our secrets are none of its business.
            timeout=READING_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _unreadable(_("The workbook takes too long to read.")) from None
    if done.returncode < 0 or done.returncode == TOO_LARGE:
        raise _unreadable(_("The workbook needs too much memory or time to read."))
    if done.returncode:
        raise _unreadable(_("The workbook is damaged, or it is no XLSX."))
    rows: list[list[str]] = json.loads(done.stdout)
    return rows


def _unreadable(detail: str) -> DomainError:
    return DomainError("file_unreadable", 422, detail, field="file")


def _guarded(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def _unguarded(cell: str) -> str:
    """Our own exports come back as they were."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell


class _Echo:
    """Hands every line that the CSV writer makes straight back."""

    def write(self, line: str) -> str:
        return line


def csv_lines(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """CSV in UTF-8 with a mark for Excel, line by line; no cell starts a formula."""
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow(headings)
    for row in rows:
        yield writer.writerow([_guarded(_cell(cell)) for cell in row])


def xlsx_file(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A workbook of one sheet; text stays text, formulas and links included."""
    target = io.BytesIO()
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "in_memory": True,
        "constant_memory": True,
        "nan_inf_to_errors": True,
    }
    workbook = xlsxwriter.Workbook(target, options)
    sheet = workbook.add_worksheet()
    bold = workbook.add_format({"bold": True})
    sheet.freeze_panes(1, 0)
    sheet.write_row(0, 0, headings, bold)
    for number, row in enumerate(rows, start=1):
        for column, cell in enumerate(row):
            value = _cell(cell)
            if isinstance(value, str):
                sheet.write_string(number, column, value)
            elif isinstance(value, Decimal):
                sheet.write_number(number, column, float(value))
            elif value is not None:
                sheet.write(number, column, value)
    workbook.close()
    return target.getvalue()


def _cell(cell: Any) -> Any:
    if isinstance(cell, datetime | date):
        return cell.isoformat().replace("+00:00", "Z")
    return cell
