"""Checks of the machine and of the folder that a run writes to."""

from __future__ import annotations

from .facts import Facts
from .findings import Finding

GIB = 1 << 30


def check_writing(facts: Facts) -> list[Finding]:
    """A run writes ``work_dirs`` in the current folder."""
    return [
        Finding('error', f'{folder}: cannot be written ({reason})', 'change to another folder, or give --work-dir')
        for folder, reason in facts.unwritable.items()
    ]


def check_disk(facts: Facts, least: int = 5 * GIB) -> list[Finding]:
    """Checkpoints of a ResNet-50 with its optimizer are about 0.4 GB each."""
    if facts.free_disk >= least:
        return []
    return [
        Finding(
            'warning',
            f'{facts.free_disk / GIB:.1f} GiB free where work_dirs goes; a run keeps several checkpoints',
            'give --work-dir on another disk, or remove old runs from work_dirs',
        )
    ]


def check_shared_memory(facts: Facts, least: int = GIB) -> list[Finding]:
    """Loader workers hand batches over in shared memory; a full one kills them with a bus error."""
    if facts.shared_memory is None or facts.shared_memory >= least:
        return []
    return [
        Finding(
            'warning',
            f'{facts.shared_memory / GIB:.2f} GiB free in /dev/shm: data loader workers may die with "bus error"',
            'start the container with --shm-size=8g, or train with --cfg-options train_dataloader.num_workers=0 '
            'train_dataloader.persistent_workers=False',
        )
    ]


def check_gpu(facts: Facts) -> list[Finding]:
    """Without a GPU everything runs, but only the small recipes end today."""
    gpus = facts.outcomes.get('gpu')
    if gpus is None or (gpus.ok and gpus.value):
        return []
    if not gpus.ok:
        return [Finding('warning', f'GPUs cannot be listed: {gpus.value}', 'nvidia-smi')]
    torch = facts.distributions.get('torch', '')
    if facts.has_driver:
        return [
            Finding(
                'warning',
                f'nvidia-smi is there, but torch {torch} sees no GPU: a CPU build, or a driver older than its CUDA',
                f'{facts.executable} -c "import torch; print(torch.version.cuda); torch.cuda.init()"',
            )
        ]
    return [Finding('warning', 'no GPU: take the small recipes (r18, synthetic or mbrsc)', 'make quickstart')]


def check_cores(facts: Facts) -> list[Finding]:
    """Views are made on the CPU."""
    if facts.cores >= 4:
        return []
    return [
        Finding(
            'info', f'{facts.cores} CPU cores: making views may hold up the training', 'train_dataloader.num_workers=1'
        )
    ]


def check_machine(facts: Facts) -> list[Finding]:
    """All of the above."""
    checks = (check_writing, check_disk, check_shared_memory, check_gpu, check_cores)
    return [finding for check in checks for finding in check(facts)]
