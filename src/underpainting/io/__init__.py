"""Files on disk: arrays, tensors, text and JSON, complete or absent, refused if damaged.

`artifacts` holds the one format of arrays, `tensor_files` that of the library's own tensors, `writing` the atomic write
that both use, `shards` files by ranges of seeds. Builds upon no other package here.
"""
