"""Study files as typed models, with errors that name the file, the key and the remedy.

`models` is the complete study, the modules beside it are its sections; `loading` reads a file; `files` names the files
that a study makes; `costs`, `counts`, `sizes` and `resources` estimate the needs of its jobs. The package imports the
science, and no other part of the workflow.
"""

from underpainting_workflow.studies.loading import check_configuration, data_folder, find_studies, load_study
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.sampling import SamplerChoice

__all__ = ["SamplerChoice", "Study", "check_configuration", "data_folder", "find_studies", "load_study"]
