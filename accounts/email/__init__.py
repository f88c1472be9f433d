"""Verify that an email belongs to an account, and change it."""
