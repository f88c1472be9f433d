"""Side work on what `tokens` and Django tell: the history of an account, and mails."""
