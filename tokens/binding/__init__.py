"""Bind sessions to devices: what is signed for it, and the header that offers it."""
