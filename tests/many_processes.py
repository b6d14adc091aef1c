"""A tiny training that `accelerate launch` starts in every process: python many_processes.py FOLDER [further]; each writes what it came to.

With ``further`` it is further pretraining, dropout and all.

Dropout is off and numbers are fp32, so that the weights of two processes can be held against those of one.
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.torch import save_file
from tiny import tiny_model, tiny_rows

from groundswell import further
from groundswell.approaches import Labelled
from groundswell.finetune import Tokenised, Training, prepare_torch, process_number
from groundswell.params import TrainParams


def main(folder: Path) -> None:
    params = TrainParams(epochs=2, learning_rate=2e-3, threads=1, bf16="off", batch_size=30)
    prepare_torch(params)
    model, tokenizer = tiny_model(0)
    for module in model.modules():
        if module.__class__.__name__ == "Dropout":
            module.p = 0.0
    rows = [Tokenised(tokenizer(texts)["input_ids"], labels) for texts, labels in (tiny_rows(200), tiny_rows(60, 1))]
    told = []
    training = Training(model, tokenizer.pad_token_id, *rows, params=params, folder=folder, observe=lambda step, numbers: told.append(step))
    read, batch = [], training.rows.batch
    training.rows.batch = lambda places, **how: read.append(places.tolist()) or batch(places, **how)
    history = training.run()
    number, count = training.accelerator.process_index, training.accelerator.num_processes
    save_file({name: weight.detach().contiguous() for name, weight in model.named_parameters()}, folder / f"{count}-{number}.safetensors")
    own = read[::count]  # several processes look at the whole batch too, after their own part: for its word pieces
    said = {"read": own, "told": told, "scores": [record["validation_macro_f1"] for record in history if "validation_macro_f1" in record]}
    (folder / f"{count}-{number}.json").write_text(json.dumps(said))


def pretrain(folder: Path) -> None:
    params = TrainParams(further_pretraining_epochs=2, threads=1, batch_size=30)
    further._HEAD_STEPS = 3
    prepare_torch(params)
    model, tokenizer = tiny_model(0)
    texts = tiny_rows(120)[0]
    further.pretrain(model, tokenizer, Labelled(texts, np.zeros(120, dtype=int), list(map(str, range(120)))), params=params)
    save_file({name: weight.detach().contiguous() for name, weight in model.named_parameters()}, folder / f"further-{process_number()}.safetensors")


if __name__ == "__main__":
    (pretrain if sys.argv[2:] == ["further"] else main)(Path(sys.argv[1]))
