"""Files on disk: arrays, tensors, text and JSON, complete or absent, refused if damaged.

`artifacts` reads and writes arrays, `tensor_files` the library's tensors, both by the atomic write of `writing`;
`shards` reads files by ranges of seeds. Builds upon no other package here.
"""
