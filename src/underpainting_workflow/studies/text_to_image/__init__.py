"""Text-to-image studies: the second kind of study file, `kind: text_to_image`, with the files and needs of its jobs."""

from underpainting_workflow.studies.text_to_image import files, geometry, resources, teleport_files
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy

__all__ = ["TextToImageStudy", "files", "geometry", "resources", "teleport_files"]
