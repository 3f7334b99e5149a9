"""Credentials: their ids, tokens, and which of them serve an entry (protocol 3)."""
