"""What a client may hold while the log is cut short and grows again."""

from contextlib import suppress

from kvs_graphql.feed import Kind, Update
from kvs_graphql.records import Interest, Positions, covers
from tests.checkers import ClientView, Table, TableDiffers
from tests.simulation.cluster import Cluster


class LogsView:
    """A client's view by each of the logs that there have been, as long as what it saw is true of that log.

    A client that stands past a cut cannot go on by the log that follows; only RESET brings it there. So it breaks no
    promise as long as one log is left by which everything was right, and in the end that has to be the newest.
    """

    def __init__(self, cluster: Cluster, interest: Interest) -> None:
        self._cluster = cluster
        self._interest = interest
        self._views = {0: ClientView(cluster.logs[0], interest)}
        self._known = 1
        self.cursor: Positions = ()
        self.live = False

    def begin(self, positions: Positions, table: Table) -> None:
        """Subscribe at these positions, holding that table."""
        self._know_logs()
        self.cursor, self.live = positions, True
        self._views = {}
        for number, log in enumerate(self._cluster.logs):
            view = ClientView(log, self._interest)
            view.begin(positions)
            view.table = {key: value for key, value in table.items() if self._interest.matches(key)}
            with suppress(TableDiffers):
                view.check_table()
                self._views[number] = view
        if not self._views:
            raise TableDiffers(f"no log adds up to {table} at {positions}")

    def see(self, update: Update) -> None:
        """Apply the next update to the views, and give up those by which it is wrong."""
        self._know_logs()
        violation: AssertionError | None = None
        for number, view in list(self._views.items()):
            try:
                view.see(update)
            except AssertionError as error:
                violation = error
                del self._views[number]
        if not self._views and violation is not None:
            raise violation
        self.cursor = update.cursor.positions
        self.live = next(iter(self._views.values())).live
        if update.kind is Kind.RESET:
            self._reset()

    def lose(self) -> None:
        """Check nothing before the next run."""
        self.live = False
        for view in self._views.values():
            view.live = view.lossless = False

    def check_end(self) -> None:
        """Check that the client holds what the newest log adds up to."""
        self._know_logs()
        newest = len(self._cluster.logs) - 1
        assert newest in self._views, f"nothing told the client at {self.cursor} that the log was cut"
        view = self._views[newest]
        view.check_table()
        view.check_complete()
        assert view.table == self._cluster.log.table(self._cluster.log.end, self._interest)

    def _reset(self) -> None:
        for number, log in enumerate(self._cluster.logs):
            view = self._views[number] = ClientView(log, self._interest)
            view.cursor = self.cursor

    def _know_logs(self) -> None:
        """Follow the log as it is cut, where it holds all that was seen."""
        for number in range(self._known, len(self._cluster.logs)):
            log, view = self._cluster.logs[number], self._views.get(number - 1)
            if view is not None and covers(log.agrees, self.cursor):
                self._views[number] = view.copy_for(log)
        self._known = len(self._cluster.logs)
