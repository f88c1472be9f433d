"""Prove that an e-mail address belongs to an account, and change it."""
