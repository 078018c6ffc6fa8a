"""What fp16 needs: a loss so large that small gradients don't vanish."""

from typing import Any

import torch
from torch import Tensor

__all__ = ["LossScaler"]

# Thirty overflows in a row from where PyTorch starts. With it a gradient overflows over 6e8.
_SMALLEST_FACTOR = 1e-4


class LossScaler:
    """Dynamic loss scaling: the loss is multiplied by a power of two, and gradients divided by it.

    If a gradient overflows, the update is skipped and the factor halved; after 2,000 updates
    without, it is doubled. Reading the factor waits for the device once an update. Under 1e-4 no
    smaller factor will help: then the gradients themselves are at fault, which the guard sees to.

    **Source**: Micikevicius et al. 2018, "Mixed Precision Training"; `torch.amp.GradScaler`.

    Args:
        device: where the model lives.
        enabled: whether the run is in fp16; otherwise nothing is scaled, skipped or waited for.
    """

    def __init__(self, device: torch.device, *, enabled: bool) -> None:
        self.enabled = enabled
        self.num_skipped = 0
        self._scaler = torch.amp.GradScaler(device.type, enabled=enabled)
        self._factor: float = self._scaler.get_scale()

    def scale(self, loss: Tensor) -> Tensor:
        """The loss to call `backward` on."""
        scaled: Tensor = self._scaler.scale(loss)
        return scaled

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Divides the gradients, so that they can be clipped."""
        self._scaler.unscale_(optimizer)

    def overflowed(self, grad_norm: Tensor) -> Tensor | None:
        """Whether gradients overflowed and a smaller factor may help: bool []; None if it can't.

        Args:
            grad_norm: the global norm of the unscaled gradients.
        """
        if not self.enabled or self._factor < _SMALLEST_FACTOR:
            return None
        return ~grad_norm.isfinite()

    def step(self, optimizer: torch.optim.Optimizer, *, skip: bool = False) -> None:
        """Updates the parameters, unless a gradient is infinite or no number.

        Args:
            optimizer: what updates them.
            skip: whether there is another reason to leave them as they are, which counts alone.
        """
        if not skip:
            self._scaler.step(optimizer)
        self._scaler.update()
        if self.enabled:
            before, self._factor = self._factor, self._scaler.get_scale()
            self.num_skipped += self._factor < before and not skip

    def log_values(self) -> dict[str, int]:
        """`overflowed_steps`, the updates skipped so far; nothing outside fp16."""
        return {"overflowed_steps": self.num_skipped} if self.enabled else {}

    def state(self) -> dict[str, Any]:
        """What a resumed run needs; plain JSON values, none outside fp16."""
        if not self.enabled:
            return {}
        return {"num_skipped": self.num_skipped, "scaler": self._scaler.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up what `state` returned."""
        if self.enabled and state:
            self.num_skipped = int(state["num_skipped"])
            self._scaler.load_state_dict(state["scaler"])
            self._factor = self._scaler.get_scale()
