"""What a person gets to see: pictures, a page, and files for further work."""

from keras_explainable.report.records import Explanation, Maps, Noise, Prediction, Run
from keras_explainable.report.writer import Report

__all__ = ["Explanation", "Maps", "Noise", "Prediction", "Report", "Run"]
