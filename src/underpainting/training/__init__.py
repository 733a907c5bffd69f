"""Training of denoising networks of every kind, and of text-to-image latent models.

`objectives` computes the training targets of each path, `trainer` is the loop, `checkpoints` lets an interrupted
training continue to the same weights. `tokenizer`, `vae` and `text_to_image` make the parts of a latent model in the layout of
diffusers' StableDiffusionPipeline. Builds upon `denoisers` and `io`.
"""
