"""Sign in with others: OpenID Connect and GitHub."""
