"""Reads the first sheet of an XLSX: a program of its own, for what comes from strangers.

A workbook of a few kilobytes can unpack to gigabytes, or name one cell at each corner of a
sheet of seventeen milliards. Whatever it is made to do ends with this process: at a bound on
memory and on time. Run as `python -m fleet.workbooks`: the file on standard input, its rows as
JSON on standard output; without Django, so that it begins quickly.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from typing import Any, Final

from python_calamine import CalamineError, CalamineWorkbook

MEMORY_BYTES: Final = 640 * 1024 * 1024
CPU_S: Final = 10
TEXT_CHARACTERS: Final = 16 * 1024 * 1024
"""Of all cells together: a text that is kept once may stand in any number of cells."""
DAMAGED: Final = 1
TOO_LARGE: Final = 2


def main(most_rows: int, most_columns: int, most_characters: int) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
        sheet = workbook.get_sheet_by_index(0)
        lines = sheet.to_python(skip_empty_area=True, nrows=most_rows)
        rows = [[_text(cell)[:most_characters] for cell in line[:most_columns]] for line in lines]
    except (CalamineError, ValueError, IndexError, OSError):
        return DAMAGED
    except MemoryError:
        return TOO_LARGE
    if sum(len(cell) for row in rows for cell in row) > TEXT_CHARACTERS:
        return TOO_LARGE
    json.dump(rows, sys.stdout)
    return 0


def _text(cell: Any) -> str:
    # Spreadsheets keep whole numbers as floats: 42 must not come back as "42.0".
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return "" if cell is None else str(cell)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
