"""The backbone for fine-tuning, left in the work folder when pretraining ends."""

from pathlib import Path

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS

from .weights.backbone import export_backbone, method_name


@HOOKS.register_module()
class ExportBackboneHook(Hook):
    """Write ``WORK_DIR/backbone.pth`` after training.

    Args:
        filename: Name of the file in the work folder. Default: ``backbone.pth``.

    Example:
        >>> custom_hooks = [dict(type='ExportBackboneHook')]
    """

    def __init__(self, filename: str = 'backbone.pth') -> None:
        self.filename = filename

    @master_only
    def after_train(self, runner) -> None:
        """Export the weights of the last iteration; only the first process writes."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        config = runner.cfg.filename
        loss = getattr(getattr(model, 'head', None), 'loss_module', None)
        export_backbone(
            {'state_dict': model.state_dict()},
            Path(runner.work_dir, self.filename),
            method=method_name(type(model).__name__, type(loss).__name__),
            config_name=Path(config).name if config else runner.experiment_name,
            arch=type(getattr(model, 'backbone', None)).__name__,
            epoch=runner.epoch,
            iter=runner.iter,
            seed=runner.seed,
        )
