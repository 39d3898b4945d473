"""How long a test waits for what has to happen, however busy the machine is; only a test that fails waits that long."""

SECONDS_MAX = 120.0
# For the limits in seconds that a test is not about: longer than any test may take.
NEVER_SECONDS = 3600
