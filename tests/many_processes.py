"""A tiny training that `accelerate launch` starts in every process: python many_processes.py FOLDER; each writes what it came to.

Dropout is off and numbers are fp32, so that the weights of two processes can be held against those of one.
"""

import json
import sys
from pathlib import Path

from safetensors.torch import save_file
from tiny import tiny_model, tiny_rows

from groundswell.finetune import Tokenised, Training, prepare_torch
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
