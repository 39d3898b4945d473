"""Tests of the service behind real proxies, configured as docs/proxies.md says."""
