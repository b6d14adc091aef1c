"""The optimiser does what dense AdamW does, though it touches only the rows that were read."""

import pytest

pytestmark = pytest.mark.slow  # torch

PIECES, WIDTH, STEPS = 200, 8, 60


def _trained(by_rows: bool, *, weight_decay: float = 0.05):
    """(table, head) after some steps on batches of six word pieces, most of which are rare."""
    import torch

    from groundswell.optimiser import Optimiser

    chance = torch.Generator().manual_seed(1)
    table = torch.nn.Parameter(torch.randn((PIECES, WIDTH), generator=chance))
    head = torch.nn.Parameter(torch.randn((WIDTH, 3), generator=chance))
    groups = [{"params": [table], "lr": 1e-2, "weight_decay": weight_decay}, {"params": [head], "lr": 2e-2, "weight_decay": 0.0}]
    optimiser = Optimiser(groups, table if by_rows else None)
    for step in range(STEPS):
        ids = torch.randint(0, 100, (6,), generator=chance) ** 2 // 60
        if by_rows:
            pieces, at = torch.unique(ids, return_inverse=True)
            read = optimiser.rows.read(pieces)[at]
        else:
            read = table[ids]
        torch.nn.functional.cross_entropy(read @ head, torch.randint(0, 3, (6,), generator=chance)).backward()
        optimiser.step(1 - step / STEPS)
    optimiser.release()
    return table.detach(), head.detach(), table.requires_grad


def test_rows_that_were_read_and_rows_that_were_not_end_where_dense_adamw_leads():
    import torch

    (table, head, learns), (wanted, wanted_head, _) = _trained(True), _trained(False)
    assert learns
    assert torch.allclose(head, wanted_head, atol=1e-4)
    assert torch.allclose(table, wanted, atol=2e-4)
    assert (table - wanted).abs().median() < 1e-6


def test_dense_and_by_rows_are_torchs_adamw_with_a_clipped_norm():
    import torch

    from groundswell.optimiser import MAX_NORM, Optimiser

    start = torch.randn((5, 4), generator=torch.Generator().manual_seed(0))
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    optimiser = Optimiser([{"params": [ours], "lr": 1e-2, "weight_decay": 0.1}])
    reference = torch.optim.AdamW([theirs], lr=1e-2, weight_decay=0.1)
    for scale in (0.01, 30, 2):
        for weight in (ours, theirs):
            (scale * (weight**2).sum()).backward()
        wanted = torch.nn.utils.clip_grad_norm_([theirs], MAX_NORM)
        reference.step()
        reference.zero_grad()
        assert optimiser.step(1.0).item() == pytest.approx(wanted.item(), rel=1e-5)
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_a_step_changes_no_row_that_was_not_read_until_it_is_settled():
    import torch

    from groundswell.optimiser import Optimiser

    table = torch.nn.Parameter(torch.ones((4, 2)))
    optimiser = Optimiser([{"params": [table], "lr": 0.1, "weight_decay": 0.5}], table)
    assert not table.requires_grad
    optimiser.rows.read(torch.tensor([1])).sum().backward()
    optimiser.step(1.0)
    assert table[[0, 2, 3]].eq(1).all()
    assert not table[1].eq(1).any()
    optimiser.settle()
    assert table[0].tolist() == pytest.approx([0.95, 0.95])
