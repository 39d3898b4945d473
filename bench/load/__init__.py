"""Load generators, which load a server and measure it; each is a process."""
