"""Artifacts, shards and tensor files: read completely or refused, written completely or not at all."""
