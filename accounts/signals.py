"""Define the signals of this app, for side work such as counting."""

from django.dispatch import Signal

attempt_throttled = Signal()  # Arguments: request, and the name of the limit by which an attempt was throttled.
mail_tried = Signal()  # Argument: outcome of an attempt to send a mail: sent, refused, postponed or expired.
