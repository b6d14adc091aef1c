"""``python -m groundswell.simulator`` serves the platforms on loopback; ``… corpus`` writes the seed corpus."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from groundswell.errors import GroundswellError
from groundswell.simulator.server import serve
from groundswell.simulator.settings import SimulatorSettings
from groundswell.window import parse_windows


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m groundswell.simulator", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    corpus = commands.add_parser("corpus", help="write the seed corpus that a topic's replay section reads")
    corpus.add_argument("--topic", default="games")
    corpus.add_argument("--window", required=True, help="a UTC day, an hour, or a range of them (A..B)")
    corpus.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        if asked.command == "corpus":
            return _corpus(asked)
        serve(SimulatorSettings())
        return 0
    except GroundswellError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return error.exit_code


def _corpus(asked: argparse.Namespace) -> int:
    from groundswell.simulator.corpus import write_corpus

    rows = write_corpus(asked.out, asked.topic, parse_windows(asked.window), SimulatorSettings())
    print(json.dumps({"out": str(asked.out), "rows": rows, "topic": asked.topic, "window": asked.window}, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
