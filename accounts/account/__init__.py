"""What a person does with an account: sign up, see its sessions, export and delete it."""
