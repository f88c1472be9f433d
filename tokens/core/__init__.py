"""Tokens, keys and the rule of rotation, without Django."""
