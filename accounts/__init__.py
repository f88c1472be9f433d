"""This site's people: who they are, the pages they use, and what happened to their accounts."""
