"""From corpus, hardware and hours to a model, its recipe, its expected loss and its cost."""

from bertsmith.plan.corpus import PlannedCorpus
from bertsmith.plan.loss import LossRange, expected_loss
from bertsmith.plan.measuring import measure_device
from bertsmith.plan.planning import Plan, Planned, make_plan
from bertsmith.plan.throughput import Device, device_names, find_device

__all__ = [
    "Device",
    "LossRange",
    "Plan",
    "Planned",
    "PlannedCorpus",
    "device_names",
    "expected_loss",
    "find_device",
    "make_plan",
    "measure_device",
]
