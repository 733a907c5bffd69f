"""Artifacts, shards and tensor files: read whole or refused, written complete or not at all."""
