"""What a person gets to see: pictures, a page, and files for further work."""

from keras_explainable.report.explanation_records import (
    Explanation,
    Maps,
    Noise,
    Prediction,
    Run,
)
from keras_explainable.report.report_writer import Report

__all__ = ["Explanation", "Maps", "Noise", "Prediction", "Report", "Run"]
