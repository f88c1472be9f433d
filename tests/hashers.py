from accounts.security.hashers import Argon2Hasher


class QuickArgon2Hasher(Argon2Hasher):
    time_cost = 1
    memory_cost = 64
    parallelism = 1
