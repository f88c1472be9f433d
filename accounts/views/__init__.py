"""Serve the pages. Each requires a sign-in unless it is marked `login_not_required`."""
