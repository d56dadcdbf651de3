"""Potsdam, DGLC and Xiangtan by name, for configs that expect a class of its own for a data set."""

from mmengine.registry import DATASETS

from projects.false.imagery.palettes import PALETTES

from .land_cover import LandCoverPatches


def _metainfo(name: str) -> dict:
    palette = PALETTES[name]
    return {'classes': palette.classes, 'palette': [list(color) for color in palette.colors]}


@DATASETS.register_module()
class PotsdamPatches(LandCoverPatches):
    """ISPRS Potsdam as the converter leaves it: 6 classes from 0, 255 = boundary, ignored.

    Unlike mmseg's PotsdamDataset, whose masks are 0 = ignored and 1 to 6, and which shifts them.

    Args:
        data_root: Folder of the data set.
        kwargs: As of :class:`LandCoverPatches`; other class names by ``metainfo=dict(classes=[...])``.
    """

    METAINFO = _metainfo('potsdam')

    def __init__(self, data_root: str = 'data/potsdam', palette: str = 'potsdam', **kwargs) -> None:
        super().__init__(palette=palette, data_root=data_root, **kwargs)


@DATASETS.register_module()
class DGLCPatches(LandCoverPatches):
    """DeepGlobe Land Cover as the converter leaves it: 6 classes from 0, 255 = unknown, ignored.

    Args:
        data_root: Folder of the data set.
        kwargs: As of :class:`LandCoverPatches`; other class names by ``metainfo=dict(classes=[...])``.
    """

    METAINFO = _metainfo('dglc')

    def __init__(self, data_root: str = 'data/dglc', palette: str = 'dglc', **kwargs) -> None:
        super().__init__(palette=palette, data_root=data_root, **kwargs)


@DATASETS.register_module()
class XiangtanPatches(LandCoverPatches):
    """Xiangtan as the converter leaves it: 9 classes from 0.

    The names were read from the paper, not from data: ``metainfo=dict(classes=[...])`` replaces them.

    Args:
        data_root: Folder of the data set.
        kwargs: As of :class:`LandCoverPatches`.
    """

    METAINFO = _metainfo('xiangtan')

    def __init__(self, data_root: str = 'data/xiangtan', palette: str = 'xiangtan', **kwargs) -> None:
        super().__init__(palette=palette, data_root=data_root, **kwargs)
