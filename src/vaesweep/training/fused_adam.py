"""torch's Adam, which reaches its fused kernel without the detours of a step."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import optimizer
from torch.optim.adam import adam

OPTIONS = ("foreach", "fused", "capturable", "differentiable", "decoupled_weight_decay")
"""Settings of a group for torch's own function alone."""


class FusedAdam(torch.optim.Adam):
    """`torch.optim.Adam` with the same results, bit for bit; the detours take longer than the step of a small model.

    Without a fused kernel, with a gradient scaler, and for a group with parameters of several types or devices, a step
    is torch's own function. Profilers have no entry of their own for a step without hooks.
    """

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step, after `closure` where it is given, which is to compute the gradients."""
        hooks = (self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks)
        if any((*hooks, optimizer._global_optimizer_pre_hooks, optimizer._global_optimizer_post_hooks)):
            given = () if closure is None else (closure,)
            return optimizer.Optimizer.profile_hook_step(type(self).step_without_hooks)(self, *given)
        return self.step_without_hooks(closure)

    step.hooked = True  # type: ignore[attr-defined]  # or torch would do that at every step, for profilers

    def step_without_hooks(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step, after `closure`."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        scaling = {name: getattr(self, name, None) for name in ("grad_scale", "found_inf")}  # set by a gradient scaler
        with torch.no_grad():
            for group in self.param_groups:
                self.step_group(group, scaling)
        return loss

    def step_group(self, group: dict[str, Any], scaling: dict[str, Any]) -> None:
        """A step of the parameters of a group that have a gradient."""
        tensors: list[list[Tensor]] = [[] for _ in range(6)]
        has_complex = self._init_group(group, *tensors)
        parameters, *_, steps = tensors
        beta1, beta2 = group["betas"]
        settings: dict[str, Any] = {"beta1": beta1, "beta2": beta2}
        settings |= {key: group[key] for key in ("lr", "weight_decay", "eps", "amsgrad", "maximize")}
        kinds = {(parameter.dtype, parameter.device) for parameter in parameters}
        is_plain = scaling["found_inf"] is None and not group["decoupled_weight_decay"]
        if group["fused"] and is_plain and len(kinds) == 1:
            torch._foreach_add_(steps, 1)
            torch._fused_adam_(*tensors, **settings)
        else:
            settings |= {key: group[key] for key in OPTIONS}
            adam(*tensors, has_complex=has_complex, **scaling, **settings)  # type: ignore[misc, arg-type]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Let go of the gradients, or fill them with zeros."""
        if not set_to_none:
            super().zero_grad(set_to_none)
            return
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None
