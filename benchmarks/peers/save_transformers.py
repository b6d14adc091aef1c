"""A checkpoint as an MLflow model of the transformers flavour: ``save_transformers.py CHECKPOINT FOLDER``; the folder must not be there."""

import sys

import mlflow
from transformers import pipeline

checkpoint, folder = sys.argv[1:]
# left to itself, MLflow looks up the version of torchvision, which a text model has no use for
requirements = ["mlflow", "torch", "transformers"]
mlflow.transformers.save_model(pipeline("text-classification", checkpoint), folder, model_config={"truncation": True}, pip_requirements=requirements)
