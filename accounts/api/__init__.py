"""Serve the site to clients without a browser: JSON, and tokens in the Authorization header."""
