"""Study files as typed models, with errors that name the file, the key and the remedy.

`models` is the complete study, the modules beside it are its sections; `text_to_image` is the other kind of study;
`loading` reads a file; `files` names the files that a study makes; `costs`, `counts`, `sizes` and `resources` estimate
the needs of its jobs. The package imports the science, and no other part of the workflow.
"""

from underpainting_workflow.studies.loading import (
    AnyStudy,
    check_configuration,
    data_folder,
    find_studies,
    load_any,
    load_study,
)
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.sampling import SamplerChoice
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy

__all__ = [
    "AnyStudy",
    "SamplerChoice",
    "Study",
    "TextToImageStudy",
    "check_configuration",
    "data_folder",
    "find_studies",
    "load_any",
    "load_study",
]
