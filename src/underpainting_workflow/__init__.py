"""The workflow: study files, claims, tables, reports, jobs and the command line. It imports the science, never the reverse."""
