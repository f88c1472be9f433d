"""Write mails down with what they tell of, and send them from a thread of their own."""
