"""Several processes of one training, as `accelerate launch` starts them on one machine: what the first has found out, all of them know.

Reads and writes nothing but what the processes send each other. Whoever asks the registry or the lake for itself may be answered otherwise a second
later, and would then wait for ever for steps that the others do not take.
"""

from __future__ import annotations

import os
from typing import TypeVar

Value = TypeVar("Value")


def from_first(value: Value | None) -> Value:
    """The first process's ``value``, in every process; the others give None, and wait. Call `finetune.prepare_torch` before: this loads torch.

    A process that is alone has its own ``value`` back. What is sent is pickled: it comes from a process of the same launch, and from nobody else.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return value
    import torch
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    PartialState(cpu=not torch.cuda.is_available())  # as `finetune` does: the processes meet once
    return broadcast_object_list([value])[0]
