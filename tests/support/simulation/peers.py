"""The policies of others, which ours is measured against."""

from support.simulation.virtual_engine import DAY, Load, Scene

# Within so many minutes of a deadline its requests are claimed before all others; see the
# deadline ramp of fusillade: window_minutes ** 0.56, which is 59 minutes for a day.
RAMP_SECONDS = (DAY.total_seconds() / 60) ** 0.56 * 60
DEADLINE_SHARE = 0.5


def fifo(scene: Scene) -> Load | None:
    """Finish the oldest first."""
    return min(scene.waiting(), key=lambda load: (load.arrives, load.name), default=None)


def fair_only(scene: Scene) -> Load | None:
    """Serve the project that had least, and let deadlines pass."""
    return min(
        scene.waiting(),
        key=lambda load: (_lanes_of(scene, load), _served(scene, load), load.arrives, load.name),
        default=None,
    )


def deadline_ramp(scene: Scene) -> Load | None:
    """Mix requests in flight per project with the time left, and rush in the last hour."""

    def rank(load: Load) -> tuple[bool, float, str]:
        left = load.target - scene.now
        flight = _lanes_of(scene, load) / scene.lanes
        mixed = (1 - DEADLINE_SHARE) * flight + DEADLINE_SHARE * left / DAY.total_seconds()
        return (left > RAMP_SECONDS, mixed, load.name)

    return min(scene.waiting(), key=rank, default=None)


def _lanes_of(scene: Scene, load: Load) -> int:
    return sum(other.lanes for other in scene.loads if other.project == load.project)


def _served(scene: Scene, load: Load) -> int:
    share = scene.shares.get(load.project)
    return 0 if share is None else share.served
