"""Define the signals of this app, for side work such as counting."""

from django.dispatch import Signal

attempt_throttled = Signal()  # request, limit: an attempt at what the limit of this name guards has to wait
