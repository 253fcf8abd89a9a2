"""Constraints of the database, said in the words of the interface."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import IntegrityError, transaction
from psycopg import errors

from tenants.errors import DomainError


@contextmanager
def refusing(refusals: Mapping[str, DomainError]) -> Iterator[None]:
    """Turn the violation of a named constraint into its refusal.

    The block runs in a savepoint, so that the transaction around it stays usable.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        cause = error.__cause__
        name = cause.diag.constraint_name if isinstance(cause, errors.Error) else None
        refusal = refusals.get(name or "")
        if refusal is None:
            raise
        # The database's message names the row's values; they stay here.
        raise refusal from None
