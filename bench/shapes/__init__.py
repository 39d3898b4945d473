"""The shapes of load, each measured for every subject in turn."""
