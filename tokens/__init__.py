"""Sign-in sessions that are JWTs in cookies, for any Django project."""
