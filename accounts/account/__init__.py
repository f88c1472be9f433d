"""Do what users do with their account: sign up, see its sessions, export and delete it."""
