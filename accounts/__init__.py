"""Manage the site's users: their accounts, their pages and the history of what happened to them."""
