"""A value that the schema has no room for, on its way from the part that does not fit to the root."""


class Misfit(Exception):
    """A part of a value does not fit. Each part around it adds where it is."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.path: list[str | int] = []

    def __str__(self) -> str:
        steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in reversed(self.path)]
        path = "".join(steps).removeprefix(".")
        return f"{path}: {self.args[0]}" if path else str(self.args[0])
