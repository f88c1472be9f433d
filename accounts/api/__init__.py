"""The site for clients without a browser: JSON, and tokens in the Authorization header."""
