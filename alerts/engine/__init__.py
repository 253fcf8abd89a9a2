"""The pure engine: rules, state and readings in, state and transitions out.

No clock, no database, no network: time is in the readings. What the readings cannot tell
(silence, the platform's own lag) is decided by the kinds that say `by_clock`.
"""
