"""Every use of a library's private names: one module per library, each with a canary in `tests/compat`.

A room may import `compat.<library>` where it may import the library itself.
"""
