"""From readings to rows: COPY, latest state, roll-ups and health, in one transaction."""
