"""The demonstration tenant: Atlas Deliveries, with people of every role and a fleet."""
