"""VINs for the demonstration, with a right check digit and no vehicle behind them."""

from __future__ import annotations

import random

WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
LETTERS = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))
MODEL_YEARS = "NPRST"
"""2022 to 2026."""


def vin(number: int) -> str:
    """A North American VIN, the same for the same number.

    The check digit is the weighted sum of the transliterated characters modulo 11
    (49 CFR 565.15).
    """
    chance = random.Random(number)  # noqa: S311
    describing = "".join(chance.choices("ABCDEFGHJKLMNPRSTUVWXYZ", k=5))
    year = chance.choice(MODEL_YEARS)
    draft = f"1FT{describing}0{year}A{number:06d}"
    values = (int(LETTERS.get(character, character)) for character in draft)
    remainder = sum(weight * value for weight, value in zip(WEIGHTS, values, strict=True)) % 11
    return f"{draft[:8]}{'X' if remainder == 10 else remainder}{draft[9:]}"
