"""Sign in with others."""
