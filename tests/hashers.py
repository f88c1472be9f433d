from accounts.security.hashers import Argon2Hasher


class QuickArgon2Hasher(Argon2Hasher):
    time_cost = 1
    memory_cost = 64
    parallelism = 1


class OlderArgon2Hasher(QuickArgon2Hasher):
    """As a site hashed that has raised its cost since."""

    memory_cost = 32
