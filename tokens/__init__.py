"""Sign-in sessions that are JWTs in cookies, for any Django project."""

__version__ = "0.1.0"
