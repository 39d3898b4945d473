"""Permissions that compiled operations honour."""

from abc import abstractmethod
from typing import Any

from strawberry.permission import BasePermission

from kvs_graphql.access import Access
from kvs_graphql.api.context import OperationInfo


class AccessPermission(BasePermission):
    """A permission that depends on nothing but who asks: what it shows is the same for equal fingerprints."""

    message = "This principal may not read the field."
    error_extensions = {"code": "FORBIDDEN"}  # noqa: RUF012 - declared so by Strawberry

    @abstractmethod
    def allows(self, access: Access) -> bool:
        """Whether the principal may read the field."""

    def has_permission(self, source: Any, info: OperationInfo, **_: Any) -> bool:
        return self.allows(info.context.access)
