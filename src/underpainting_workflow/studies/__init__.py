"""Study files: what a person writes, as typed models, with errors that name the file, the key and the remedy."""

from underpainting_workflow.studies.errors import StudyError
from underpainting_workflow.studies.loading import configuration, data_folder, find_studies, load_study
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.sampling import SamplerChoice

__all__ = ["SamplerChoice", "Study", "StudyError", "configuration", "data_folder", "find_studies", "load_study"]
