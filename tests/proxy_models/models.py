from accounts.models import User


class Colleague(User):
    """A person under another name, as sites with several kinds of users have them."""

    class Meta:
        proxy = True
