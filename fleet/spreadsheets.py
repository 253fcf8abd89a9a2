"""Tables in and out as CSV and XLSX. Both come from and go to strangers' programs."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import xlsxwriter
from django.utils.translation import gettext as _
from python_calamine import CalamineError, CalamineWorkbook

from tenants.errors import DomainError

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
MAX_UNPACKED_BYTES: Final = 64 * 1024 * 1024
MAX_ROWS: Final = 5000
MAX_COLUMNS: Final = 100
MAX_CELL: Final = 400
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
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheet = workbook.get_sheet_by_index(0)
        lines = sheet.to_python(skip_empty_area=True, nrows=MAX_ROWS + 2)
    except (CalamineError, zipfile.BadZipFile, ValueError, IndexError, OSError):
        raise _unreadable(_("The workbook is damaged, or it is no XLSX.")) from None
    for line in lines:
        yield [_text(cell) for cell in line]


def _text(cell: Any) -> str:
    # Spreadsheets keep whole numbers as floats: 42 must not come back as "42.0".
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return "" if cell is None else str(cell)


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
