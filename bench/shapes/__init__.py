"""What is measured: each shape of load, for every subject in turn."""
