"""`python -m tests.simulation SEED` replays one simulation and tells what happened, line by line;
`python -m tests.simulation --seeds 500 --from 0` runs many, on all cores, and names those that failed."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time

from tests.simulation.many import prepare, run_many


def _replay(seed: int) -> int:
    browser = prepare()
    from tests.simulation.world import simulate

    try:
        outcome = simulate(seed, browser, traces=True)
    except Exception as error:
        print("\n".join(error.__notes__))
        return 1
    finally:
        browser.close()
    print("\n".join(outcome.trace))
    print(f"all agree after {outcome.virtual_s:.0f} s; {outcome.entries} entries, digest {outcome.digest}")
    return 0


def _show_many(first: int, count: int, jobs: int) -> int:
    began = time.monotonic()
    broken = 0
    totals: dict[str, int] = {}
    for seed, why, faults in run_many(first, count, jobs):
        for kind, times in faults.items():
            totals[kind] = totals.get(kind, 0) + times
        if why:
            broken += 1
            print(f"seed {seed}: {why[:1_000]}\n  replay: python -m tests.simulation {seed}", flush=True)
    came = ", ".join(f"{kind} {times}" for kind, times in sorted(totals.items()))
    print(f"{count - broken} of {count} seeds hold, in {time.monotonic() - began:.0f} s; {came}")
    return 1 if broken else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", nargs="?", type=int, help="replay this one and print its trace")
    parser.add_argument("--seeds", type=int, default=500, metavar="N", help="how many to run (500)")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="SEED", help="the first (0)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (cores)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="anteroom-simulation-") as home:
        os.environ.setdefault("ANTEROOM_HOME", home)
        if options.seed is not None:
            return _replay(options.seed)
        return _show_many(options.first, options.seeds, options.jobs)


if __name__ == "__main__":
    sys.exit(main())
