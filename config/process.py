"""What kind of process this is, as far as its entry point knows before the settings are read."""

serves_requests = False
"""Set by the ASGI applications: see the database connections in the settings."""
