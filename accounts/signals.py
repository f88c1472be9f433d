"""Define the signals of this app, for side work such as counting."""

from django.dispatch import Signal

attempt_throttled = Signal()  # Arguments: request, and the name of the limit by which an attempt was throttled.
provider_asked = Signal()  # Arguments: name of the provider, and outcome: accepted, refused or failed.
mail_tried = Signal()  # Argument: outcome of an attempt to send a mail: sent, refused, postponed or expired.
