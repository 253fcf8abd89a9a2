"""Who acts, in which organisation, and what they may do there."""

from __future__ import annotations

from dataclasses import dataclass

from tenants.errors import DomainError
from tenants.models import ROLE_SCOPES, ApiToken, Organisation, Scope, User

SUPPORT_SCOPES: frozenset[str] = frozenset({Scope.TELEMETRY_READ, Scope.FLEET_READ})
"""What a member of staff may do through a support access: look, not touch."""

EVERY_SCOPE: frozenset[str] = frozenset(Scope.values)


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a token or a command, inside exactly one organisation.

    `label` is how the audit trail names it, now and for ever.
    """

    tenant: Organisation
    scopes: frozenset[str]
    label: str
    user: User | None = None
    token: ApiToken | None = None
    address: str | None = None
    supports: bool = False
    """Staff inside a tenant by a support access."""

    @classmethod
    def member(
        cls, tenant: Organisation, user: User, role: str, *, address: str | None = None
    ) -> Actor:
        return cls(tenant, ROLE_SCOPES[role], str(user), user=user, address=address)

    @classmethod
    def support(cls, tenant: Organisation, user: User, *, address: str | None = None) -> Actor:
        label = f"{user} (support)"
        return cls(tenant, SUPPORT_SCOPES, label, user=user, address=address, supports=True)

    @classmethod
    def integration(cls, token: ApiToken, *, address: str | None = None) -> Actor:
        label = f"token {token.prefix} ({token.name})"
        return cls(token.tenant, frozenset(token.scopes), label, token=token, address=address)

    @classmethod
    def command(cls, tenant: Organisation, label: str) -> Actor:
        """A management command run by whoever holds the machine."""
        return cls(tenant, EVERY_SCOPE, label)

    def require(self, scope: Scope) -> None:
        """Refuse with `scope_missing` unless the scope is held."""
        if scope not in self.scopes:
            raise DomainError("scope_missing", 403, f"This needs the scope {scope.value}.")
