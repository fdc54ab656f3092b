"""A FHIR-based health-information exchange gateway.  Read `pipeline.py` first."""

__version__ = "0.1.0"
