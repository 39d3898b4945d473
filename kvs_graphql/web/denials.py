"""Fields that a principal's schema does not have, and the whole schema has: asking for them is a denial, too."""

from kvs_graphql.access import Access
from kvs_graphql.api import rights_of_fields
from kvs_graphql.executor import Refusal
from kvs_graphql.service import Catalog


class HiddenFields:
    """Tells the tables what principals asked for by the names of root fields."""

    def __init__(self, catalog: Catalog) -> None:
        self._tables = catalog.tables
        self._rights = rights_of_fields(catalog.tables)

    def count(self, access: Access, refusal: Refusal) -> None:
        """Count what the principal of a refused document may not do."""
        if access.grants is None:
            return
        for name in refusal.field_names:
            rights = self._rights.get(name, ())
            if not any(access.allows(verb, table) for verb, table in rights):
                for verb, table in rights:
                    self._tables[table].denials.add(access, verb)
