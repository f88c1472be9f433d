"""Keep strangers out: passwords, throttling, reauthentication, alerts and the audit log."""
