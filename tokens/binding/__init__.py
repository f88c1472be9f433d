"""Bind a session to the device that it began on: the challenges, the marks, and what happens without one."""
