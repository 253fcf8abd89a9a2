"""How names are put in order: "bay 3" before "bay 11", "atlas" beside "Atlas"."""

from typing import Final

NATURAL: Final = "natural"
"""A collation of the database's: Unicode's order, runs of digits as the numbers they are."""
NATURAL_LOCALE: Final = "und-u-kn-true"
