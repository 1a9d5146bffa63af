"""The command line of the soak."""

import argparse
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.soak.injections import injections
from tests.soak.soak import Soak

DATABASES = ("postgres", "sqlite")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="How long faults are injected.")
    parser.add_argument("--seed", type=int, default=None, help="Draws the faults (default: any).")
    parser.add_argument("--database", choices=DATABASES, default="postgres")
    parser.add_argument("--folder", type=Path, default=None, help="Keep logs and account here.")
    parser.add_argument("--only", nargs="+", metavar="FAULT", help="Inject these faults alone.")
    parser.add_argument("--without", nargs="+", metavar="FAULT", help="Leave these faults out.")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by which the schedulers end, too
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="soak-")) if options.folder is None else options.folder
    folder.mkdir(parents=True, exist_ok=True)
    url = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
    print(f"Soak of {options.minutes} minutes on {options.database}, seed {seed}, logs in {folder}")
    clean = Soak(options.database, seed, options.minutes, url, folder, _chosen(options)).run()
    print(f"\nSeed {seed} on {options.database}: {'clean' if clean else 'NOT clean'}")
    return 0 if clean else 1


def _chosen(options: argparse.Namespace) -> Callable[[str], bool]:
    """The faults that these options leave: a seed gives the same plan for the same choice."""
    only, without = options.only or (), options.without or ()
    known = {injection.name for name in DATABASES for injection in injections(name, True)}
    if unknown := {*only, *without} - known:
        raise SystemExit(f"No such fault: {', '.join(sorted(unknown))}. There are: {sorted(known)}")
    return lambda name: name in only if only else name not in without


if __name__ == "__main__":
    sys.exit(main())
