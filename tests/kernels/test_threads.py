"""Threads: any number gives the answer, the same number gives the same bits, and a forked process still runs."""

from __future__ import annotations

import os
import signal
import threading

import pytest
import torch

KERNELS = ("elman_tanh", "elman_relu", "lstm", "gru")
SIZES = {"split by rows": ([40] * 12 + [7] * 5, 33, 64), "split by units": ([40], 33, 300)}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_same_threads_same_bits(problem, kernel, size):
    case = problem(kernel, *SIZES[size], dtype=torch.float32)

    def run():
        outputs = case.kernel_outputs()
        return outputs + case.gradients(outputs)

    first = run()
    for _ in range(10):
        assert all(torch.equal(a, b) for a, b in zip(first, run(), strict=True))


@pytest.mark.parametrize("kernel", KERNELS)
def test_batch_is_one_by_one(problem, kernel):
    """A row's outputs do not depend on its company, to the last bit."""
    case = problem(kernel, [9] * 7, 5, 33, dtype=torch.float32)
    with torch.no_grad():
        y = case.kernel_outputs()[0].view(9, 7, 33)
        x, state = case.x.view(9, 7, 5), case.state
        case.counts = torch.ones(9, dtype=torch.int64)
        for b in range(7):
            case.x, case.state = x[:, b].contiguous(), [s[b : b + 1] for s in state]
            assert torch.equal(case.kernel_outputs()[0], y[:, b])


def test_a_forked_child_runs(problem, monkeypatch):
    case = problem("gru", *SIZES["split by rows"], dtype=torch.float32)
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # torch fills with OpenMP
    with torch.no_grad():
        expected = [t.numpy().tobytes() for t in case.kernel_outputs()]
        child = os.fork()
        if child == 0:  # no operator of torch that uses OpenMP here: those threads do not survive a fork
            signal.alarm(30)
            same = [t.numpy().tobytes() for t in case.kernel_outputs()] == expected
            os._exit(0 if same else 1)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_several_python_threads_take_turns(problem):
    cases = [problem("lstm", *SIZES["split by rows"], seed=seed) for seed in range(4)]
    expected = [case.kernel_outputs()[0] for case in cases]
    wrong = []

    def work(i):
        wrong.extend(i for _ in range(20) if not torch.equal(cases[i].kernel_outputs()[0], expected[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
