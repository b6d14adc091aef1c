"""The everyday peer: FastAPI over a transformers ``pipeline`` in torch, fp32. Run by uvicorn; reads the checkpoint in ``PEER_CHECKPOINT``."""

import os

import torch
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

torch.set_num_threads(int(os.environ["PEER_THREADS"]))
classify = pipeline("text-classification", os.environ["PEER_CHECKPOINT"])
app = FastAPI()


class Request(BaseModel):
    texts: list[str]


@app.get("/health")
def health() -> dict:
    return {}


@app.post("/predict")
def predict(request: Request) -> list[dict]:
    return classify(request.texts, truncation=True, batch_size=len(request.texts))
