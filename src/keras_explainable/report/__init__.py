"""What a person gets to see: pictures, a page, and files for further work."""

from keras_explainable.report.records import Explanation, Noise, Prediction, Run
from keras_explainable.report.writer import Report

__all__ = ["Explanation", "Noise", "Prediction", "Report", "Run"]
