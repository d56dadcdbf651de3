"""A segmentor that learns from labels and from what its own average predicts on unlabelled patches."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from mmseg.models import EncoderDecoder
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from projects.false.common.errors import InputError, check_range
from projects.false.datasets.views.color_device import apply_steps
from projects.false.imagery.images import band_order
from projects.false.imagery.palettes import IGNORE_INDEX
from projects.false.models.segmentation import BandPreProcessor


@MODELS.register_module()
class MeanTeacherPreProcessor(BandPreProcessor):
    """Preprocessor that also makes the weak and strong views of unlabelled patches, on the training device.

    Shape:
        - ``data['unlabelled']``, ``data['steps']``, ``data['boxes']``: a list of those of
          :class:`PartlyLabelledPatches`, one per labelled patch
        - ``weak``, ``strong``: (labelled patches x companions, bands, H, W), float32, normalised
        - ``mixed``: (labelled patches x companions, H, W), bool, where ``strong`` shows the next companion
    """

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepare labelled patches as usual, and unlabelled ones if there are any."""
        result: dict[str, Any] = super().forward(data, training)
        if not training or 'unlabelled' not in data:
            return result
        images = torch.stack(list(data['unlabelled'])).to(self.device, non_blocking=True)
        if images.shape[2] != len(self.mean):
            raise InputError(
                f'the unlabelled images have {images.shape[2]} bands, but mean and std of model.data_preprocessor have '
                f'{len(self.mean)}; give patches of the same bands as the labelled ones'
            )
        if self.bands_reversed:
            images = images[:, :, band_order(len(self.mean))]
        groups = images.shape[:2]
        images = images.flatten(0, 1).float()
        strong = apply_steps(images.clone(), torch.cat(list(data['steps'])))
        mixed = inside(torch.cat(list(data['boxes'])).to(self.device), *images.shape[2:])
        strong = torch.where(mixed[:, None], next_companion(strong, groups[1]), strong)
        result.update(weak=(images - self.mean) / self.std, strong=(strong - self.mean) / self.std, mixed=mixed)
        result['companions'] = groups[1]
        return result


def inside(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return which pixels lie in each image's rectangle: boxes (N, 4) give a bool mask (N, height, width)."""
    top, left, bottom, right = boxes[..., None].unbind(1)
    rows, columns = (torch.arange(length, device=boxes.device) for length in (height, width))
    tall, wide = (rows >= top) & (rows < bottom), (columns >= left) & (columns < right)
    return tall[:, :, None] & wide[:, None, :]


def next_companion(values: Tensor, companions: int) -> Tensor:
    """Replace each of N values by that of the next companion of the same labelled patch, in a ring."""
    return values.unflatten(0, (-1, companions)).roll(-1, 1).flatten(0, 1)


@MODELS.register_module()
class MeanTeacher(EncoderDecoder):
    """mmseg's EncoderDecoder, trained as the student of its own moving average.

    The teacher sees the weak view of an unlabelled patch. Its predictions above ``confidence`` become the labels of the
    strong view, which the student learns from (Tarvainen and Valpola 2017, arXiv 1703.01780; pseudo-labels and strong
    views as FixMatch, arXiv 2001.07685; rectangles as CutMix-Seg, arXiv 1906.01916). :class:`MeanTeacherHook` keeps
    the teacher and the weight of this loss; without it the model trains on the labels alone. The checkpoint holds the
    teacher's weights under the names of a plain ``EncoderDecoder``, so every tool takes it with the supervised config,
    too.

    Args:
        confidence: Smallest probability of a pseudo-label, in [0, 1]; a list has one per class.
        kwargs: Arguments of mmseg's EncoderDecoder.

    Raises:
        InputError: A confidence is out of range, or the list does not have one per class; the head has a single output;
            or the heads ignore different labels.
    """

    def __init__(self, *args: Any, confidence: float | Sequence[float] = 0.95, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.out_channels < 2:
            raise InputError(
                'model.decode_head of MeanTeacher has a single output, and pseudo-labels need one per class; leave '
                'out_channels out, and set num_classes to at least 2'
            )
        ignored = {getattr(head, 'ignore_index', IGNORE_INDEX) for head in self._heads().values()}
        if len(ignored) > 1:
            raise InputError(
                f'ignore_index is {" and ".join(map(str, sorted(ignored)))} in the heads of MeanTeacher; set that of '
                'model.decode_head and model.auxiliary_head to the same label'
            )
        self.ignored = ignored.pop()
        levels = list(confidence) if isinstance(confidence, Sequence) else [confidence] * self.num_classes
        for level in levels:
            check_range('confidence of MeanTeacher', level, 0, 1)
        if len(levels) != self.num_classes:
            raise InputError(
                f'confidence of MeanTeacher has {len(levels)} numbers for {self.num_classes} classes; give one number, '
                'or one per class'
            )
        self.register_buffer('confidence', torch.tensor(levels), persistent=False)
        self.unlabelled_weight = 0.0
        self.__dict__['teacher'] = None  # not a submodule: the hook owns its weights, and state_dict leaves them out

    def follow(self, teacher: nn.Module, weight: float) -> None:
        """Take a teacher, and the weight of the loss on unlabelled patches in the next step."""
        self.__dict__['teacher'] = teacher
        self.unlabelled_weight = weight

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[SegDataSample] | None = None,
        mode: str = 'tensor',
        **unlabelled: Any,
    ) -> Any:
        """Run as EncoderDecoder; in training with unlabelled views, return the losses on both."""
        if mode == 'loss' and unlabelled and self.unlabelled_weight and self.teacher is not None:
            return self.loss_on_both(inputs, data_samples or [], **unlabelled)
        return super().forward(inputs, data_samples, mode)

    def loss_on_both(
        self,
        inputs: Tensor,
        data_samples: list[SegDataSample],
        weak: Tensor,
        strong: Tensor,
        mixed: Tensor,
        companions: int,
    ) -> dict[str, Tensor]:
        """Return the losses on labels and, under ``unlabelled.``, the weighted losses on pseudo-labels.

        Args:
            inputs: Labelled images, (B, bands, H, W).
            data_samples: Their labels.
            weak, strong, mixed: Views as :class:`MeanTeacherPreProcessor` makes them.
            companions: Unlabelled patches per labelled one.

        Returns:
            Losses, and ``unlabelled.share``, the share of pixels with a pseudo-label. The loss on pseudo-labels is a
            mean over all pixels, as in FixMatch, so a few pseudo-labels weigh little.
        """
        labels = self.pseudo_labels(weak)
        labels = torch.where(mixed, next_companion(labels, companions), labels)
        samples = [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in labels]
        same_size = inputs.shape[2:] == strong.shape[2:]
        if same_size:  # one pass, so that batch normalisation sees both
            features = self.extract_feat(torch.cat([inputs, strong]))
            on_labels = [stage[: len(inputs)] for stage in features]
            on_pseudo = [stage[len(inputs) :] for stage in features]
        else:
            on_labels, on_pseudo = self.extract_feat(inputs), self.extract_feat(strong)
        losses = self._losses(on_labels, data_samples)
        share, of_the_sure = (labels != self.ignored).float().mean(), self._means_of_what_counts()
        for name, value in self._losses(on_pseudo, samples).items():
            weight = self.unlabelled_weight * (share if name in of_the_sure else 1)
            losses[f'unlabelled.{name}'] = value * weight if 'loss' in name else value
        losses['unlabelled.share'] = share
        return losses

    def _heads(self) -> dict[str, nn.Module]:
        """Return all heads, by the names of their losses."""
        heads = {'decode': self.decode_head}
        if self.with_auxiliary_head:
            others = self.auxiliary_head
            several = isinstance(others, nn.ModuleList)
            heads |= {f'aux_{number}': head for number, head in enumerate(others)} if several else {'aux': others}
        return heads

    def _means_of_what_counts(self) -> set[str]:
        """Name the losses averaged over labelled pixels; times the labelled share, they are means over all pixels."""
        names = set()
        for prefix, head in self._heads().items():
            losses: Any = getattr(head, 'loss_decode', None)
            parts: Sequence[Any] | nn.ModuleList = losses if isinstance(losses, nn.ModuleList) else [losses]
            names |= {f'{prefix}.{part.loss_name}' for part in parts if getattr(part, 'avg_non_ignore', False)}
        return names

    @torch.no_grad()
    def pseudo_labels(self, weak: Tensor) -> Tensor:
        """Return the teacher's classes of weak views, (N, H, W), ignored where it is less sure than ``confidence``."""
        self.teacher.eval()
        logits = self.teacher.encode_decode(weak, [dict(img_shape=weak.shape[2:])] * len(weak))
        sure, labels = logits.float().softmax(1).max(1)
        return torch.where(sure >= self.confidence[labels], labels, self.ignored)

    def _losses(self, features: Sequence[Tensor], samples: list[SegDataSample]) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self._decode_head_forward_train(features, samples)
        if self.with_auxiliary_head:
            losses.update(self._auxiliary_head_forward_train(features, samples))
        return losses
