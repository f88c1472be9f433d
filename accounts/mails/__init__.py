"""Enqueue mails with the data they need, and send them from a thread of their own."""
