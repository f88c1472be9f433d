"""The real thing under load and faults: the production server as processes, a real PostgreSQL, real sockets."""
