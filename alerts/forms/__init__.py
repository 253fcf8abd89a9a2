"""Forms of rules and channels."""
