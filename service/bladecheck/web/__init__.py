"""The service: HTTP, limits, keys, the page for press teams."""
