"""Places where requests run: claims, reserve, preemption."""
