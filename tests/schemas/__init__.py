"""The schemas of tables, from files and from registries."""
