"""The whole stack on one machine: PostgreSQL and the broker from wheels, and the supervisor behind ``everfit up``."""
