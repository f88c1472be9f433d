"""The pages. Each is closed unless it says `login_not_required`."""
