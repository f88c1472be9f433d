"""Ask for a second factor: passkeys, authenticator apps and recovery codes, and the way back without any."""
