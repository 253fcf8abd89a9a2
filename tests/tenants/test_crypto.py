"""Fields at rest: encrypted, bound to tenant and purpose, keys rotated."""

import base64

import pytest
from django.core.exceptions import ImproperlyConfigured

from tenants import crypto

OLD = {"2025": base64.b64encode(b"o" * 32).decode()}
NEW = {"2026": base64.b64encode(b"n" * 32).decode()}


@pytest.fixture(autouse=True)
def keys(settings):
    settings.FIELD_ENCRYPTION_KEYS = {**NEW, **OLD}


def sealed(text: str = "secret") -> bytes:
    return crypto.encrypt(text, tenant_id=1, purpose="vehicle.vin")


def test_it_reads_what_it_wrote_and_never_writes_the_same_twice():
    assert crypto.decrypt(sealed("Zürich"), tenant_id=1, purpose="vehicle.vin") == "Zürich"
    assert sealed() != sealed()
    assert b"secret" not in sealed()


@pytest.mark.parametrize("other", [{"tenant_id": 2}, {"purpose": "user.totp"}])
def test_it_reads_nothing_copied_to_another_tenant_or_column(other):
    with pytest.raises(crypto.Undecipherable):
        crypto.decrypt(sealed(), **{"tenant_id": 1, "purpose": "vehicle.vin", **other})


def test_it_reads_nothing_damaged_anywhere():
    whole = sealed()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        with pytest.raises(crypto.Undecipherable):
            crypto.decrypt(bytes(damaged), tenant_id=1, purpose="vehicle.vin")
    for length in range(len(whole)):
        with pytest.raises(crypto.Undecipherable):
            crypto.decrypt(whole[:length], tenant_id=1, purpose="vehicle.vin")


def test_it_reads_with_an_old_key_and_writes_with_the_first(settings):
    settings.FIELD_ENCRYPTION_KEYS = OLD
    before = sealed()
    settings.FIELD_ENCRYPTION_KEYS = {**NEW, **OLD}
    assert crypto.decrypt(before, tenant_id=1, purpose="vehicle.vin") == "secret"
    assert b"2026" in sealed()
    settings.FIELD_ENCRYPTION_KEYS = NEW
    with pytest.raises(crypto.Undecipherable):
        crypto.decrypt(before, tenant_id=1, purpose="vehicle.vin")


@pytest.mark.parametrize("key", ["not base64!", base64.b64encode(b"short").decode()])
def test_it_refuses_keys_that_are_none(settings, key):
    settings.FIELD_ENCRYPTION_KEYS = {"bad": key}
    with pytest.raises(ImproperlyConfigured):
        sealed()
