"""What do 10^6 and 10^8 images cost on many workers, and what breaks first?

    python -m benchmarks.distributed.plan [--seconds 1.0] [--driver 0.01] ...

Simulates how batches are handed out, with what one worker and Ray were measured to
take (``benchmarks.distributed.throughput``). The time of a batch is lognormal, one
worker in twenty is slow, and workers die at random: their batch is repeated, and they
need their start-up time again. The calling process handles one batch after the other.
Above 10^6 images, the time is that of 10^6, in proportion.
"""

import argparse
import heapq
from dataclasses import dataclass

import numpy as np

SIMULATED = 10**6


@dataclass(frozen=True)
class Plan:
    """What a run is made of.

    Attributes:
        seconds: Time of an image on one worker.
        driver: Time that the calling process takes for a batch.
        start: Time that a worker takes until its first batch.
        batch: Images in a batch.
        spread: Standard deviation of the logarithm of a batch's time.
        slow: Share of workers that are slow, three times.
        life: Mean time until a worker dies.
    """

    seconds: float = 1.0
    driver: float = 0.01
    start: float = 20.0
    batch: int = 32
    spread: float = 0.2
    slow: float = 0.05
    life: float = 24 * 3600.0


def simulate(plan: Plan, images: int, workers: int, seed: int = 0):
    """Return the seconds, and the number of batches that were lost."""
    draw = np.random.default_rng(seed)
    left = -(-images // plan.batch)
    slowness = np.where(draw.random(workers) < plan.slow, 3.0, 1.0)
    dies = draw.exponential(plan.life, workers)
    mean = plan.seconds * plan.batch
    ready = [(plan.start, worker) for worker in range(workers)]
    free_at, lost, end = 0.0, 0, 0.0
    while left:
        now, worker = heapq.heappop(ready)
        free_at = max(free_at, now) + plan.driver  # The calling process is one.
        noise = np.exp(draw.normal(-(plan.spread**2) / 2, plan.spread))
        done = free_at + mean * slowness[worker] * noise
        if done < dies[worker]:
            left, end = left - 1, max(end, done)
        else:
            lost += 1
            done = dies[worker] + plan.start
            dies[worker] = done + draw.exponential(plan.life)
        heapq.heappush(ready, (done, worker))
    return end, lost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("seconds", "driver", "start", "life"):
        default = getattr(Plan, name)
        parser.add_argument(f"--{name}", type=float, default=default)
    parser.add_argument("--bytes-in", type=int, default=224 * 224 * 3)
    parser.add_argument("--bytes-out", type=int, default=224 * 224 * 4)
    args = parser.parse_args()
    plan = Plan(args.seconds, args.driver, args.start, life=args.life)
    print("| images | workers | hours | of ideal | lost batches | MB/s in, out |")
    print("|---|---|---|---|---|---|")
    for images in (10**6, 10**8):
        for workers in (8, 64, 512):
            scale = images / min(images, SIMULATED)
            time, lost = simulate(plan, min(images, SIMULATED), workers)
            ideal = min(images, SIMULATED) * plan.seconds / workers
            rate = min(images, SIMULATED) / time / 1e6
            flows = f"{rate * args.bytes_in:.2f}, {rate * args.bytes_out:.2f}"
            cells = f"{images:.0e}", workers, f"{scale * time / 3600:.1f}"
            rest = f"{ideal / time:.0%}", round(scale * lost), flows
            print("|", " | ".join(map(str, [*cells, *rest])), "|")
    limit = plan.seconds * plan.batch / plan.driver
    print(f"\nThe calling process is busy all the time above {limit:.0f} workers.")


if __name__ == "__main__":
    main()
