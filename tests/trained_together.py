"""A training that `accelerate launch` starts in every process: python trained_together.py PROJECT PARAMS_JSON FOLDER.

Each process writes into FOLDER how it began, and a file ``asked-NUMBER`` when it opened a client of MLflow's.
"""

import json
import sys
from pathlib import Path

from groundswell import registry, tracking
from groundswell import train as trainer
from groundswell.finetune import process_number
from groundswell.params import TrainParams
from groundswell.settings import Settings


def main(project: Path, params: TrainParams, folder: Path) -> None:
    number, ask, fit = process_number(), tracking.client, trainer._finetuned

    def client(settings):
        (folder / f"asked-{number}").touch()
        return ask(settings)

    def finetuned(data, box, origin, observe):
        found = {"added": data.added.rows.texts, "validation": len(data.validation), "epochs": origin.params.epochs, "facts": origin.facts}
        (folder / f"{number}.json").write_text(json.dumps(found))
        return fit(data, box, origin, observe)

    tracking.client = registry.client = client
    trainer._finetuned = finetuned
    settings = Settings(project=project, home=Path("var"), mlflow_uri="", dvc_remote="")
    (folder / f"report-{number}.json").write_text(json.dumps(trainer.train("games", settings=settings, params=params)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), TrainParams.model_validate_json(sys.argv[2]), Path(sys.argv[3]))
