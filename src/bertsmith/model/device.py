"""Where a model runs."""

import torch

from bertsmith.errors import InputError

__all__ = ["find_device"]


def find_device(name: str = "auto") -> torch.device:
    """Returns the device of that name, once it is known that it can be used.

    Args:
        name: `auto` is the first GPU, or else the CPU; otherwise PyTorch's name, such as `cuda:1`.

    Raises:
        InputError: there's no such device.

    Example:
        >>> find_device("cpu")
        device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        fix = "use cpu, cuda, cuda:N or auto"
        raise InputError(f"cannot be used ({reason})", where=f"device {name}", fix=fix) from None
    return device
