"""Who may do what: roles are fixed sets of scopes, and every endpoint names its scope."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """One thing that a key may be allowed to do."""

    DEPLOYMENTS_READ = "deployments:read"
    DEPLOYMENTS_WRITE = "deployments:write"
    EVIDENCE_READ = "evidence:read"
    EVIDENCE_WRITE = "evidence:write"
    EVIDENCE_DELETE = "evidence:delete"
    AUDITS_READ = "audits:read"
    AUDITS_WRITE = "audits:write"
    FINDINGS_READ = "findings:read"
    SCORES_READ = "scores:read"
    REPORTS_READ = "reports:read"
    PLANS_READ = "plans:read"
    PLANS_WRITE = "plans:write"
    CERTIFICATES_READ = "certificates:read"
    CERTIFICATES_WRITE = "certificates:write"
    SUITES_READ = "suites:read"
    SUITES_WRITE = "suites:write"
    KEYS_ADMIN = "keys:admin"
    ACCESS_LOG_READ = "access-log:read"
    TENANTS_ADMIN = "tenants:admin"


class Role(StrEnum):
    """What kind of person or program holds a key."""

    ADMIN = "admin"
    AUDITOR = "auditor"
    TESTER = "tester"
    VENDOR = "vendor"
    READER = "reader"
    OPERATOR = "operator"


_READER = frozenset(
    {
        Scope.DEPLOYMENTS_READ,
        Scope.AUDITS_READ,
        Scope.FINDINGS_READ,
        Scope.SCORES_READ,
        Scope.REPORTS_READ,
        Scope.PLANS_READ,
        Scope.CERTIFICATES_READ,
        Scope.SUITES_READ,
    }
)
_TESTER = _READER | {
    Scope.DEPLOYMENTS_WRITE,
    Scope.EVIDENCE_READ,
    Scope.EVIDENCE_WRITE,
    Scope.AUDITS_WRITE,
    Scope.PLANS_WRITE,
    Scope.CERTIFICATES_WRITE,
    Scope.SUITES_WRITE,
}

SCOPES: dict[Role, frozenset[Scope]] = {
    # a vendor reads the findings about its own equipment; scores, reports and plans speak of all
    Role.VENDOR: frozenset(
        {
            Scope.DEPLOYMENTS_READ,
            Scope.AUDITS_READ,
            Scope.FINDINGS_READ,
            Scope.CERTIFICATES_READ,
            Scope.SUITES_READ,
        }
    ),
    Role.READER: _READER,
    Role.TESTER: _TESTER,
    Role.AUDITOR: _TESTER | {Scope.EVIDENCE_DELETE, Scope.ACCESS_LOG_READ},
    Role.ADMIN: frozenset(Scope) - {Scope.TENANTS_ADMIN},
    # runs the service for others: makes tenants and sees nothing of them
    Role.OPERATOR: frozenset({Scope.TENANTS_ADMIN}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a valid key, for one request."""

    key_id: str
    key_name: str
    tenant_id: str
    role: Role
    vendor: str | None = None
    """Set for role vendor: the only vendor whose findings it sees."""
    narrowed: frozenset[Scope] | None = None
    """Set where the key may do less than its role."""

    @property
    def scopes(self) -> frozenset[Scope]:
        """What its role allows, as far as the key does."""
        allowed = SCOPES[self.role]
        return allowed if self.narrowed is None else allowed & self.narrowed

    def why_not(self, scope: Scope) -> str:
        """Why it may not do something, in words."""
        if scope in SCOPES[self.role]:
            return f"This key was made without the scope {scope.value}."
        return f"The role {self.role.value} does not include the scope {scope.value}."
