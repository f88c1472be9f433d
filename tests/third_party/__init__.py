"""`tokens` in other people's projects: a fresh one of Django's, one that moves over, and beside third-party packages.

`run` makes the project and takes a walk through it, in a process of its own; each walk is a module of `walks`.
"""
