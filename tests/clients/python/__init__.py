"""The Python clients of the matrix, as programs: see tests/clients/program.py."""
