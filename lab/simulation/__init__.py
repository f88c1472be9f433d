"""What the rule of rotation costs honest people, and what it leaves to thieves, beside the rules of the field."""
