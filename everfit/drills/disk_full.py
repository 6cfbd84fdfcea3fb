"""Fill the disk that Postgres writes to, in the middle of it, and free it again."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from everfit.drills.catalogue import Announce, Order
from everfit.drills.consumer_pool import Nursery
from everfit.drills.guarantee_report import Report, hold
from everfit.drills.test_bed import prepared
from everfit.drills.traffic import Producer, Sent
from everfit.drills.workload import drain, portions
from everfit.errors import DrillError

DISK_MEGABYTES = 320
REFUSED = (b"No space left on device", b"server closed the connection")  # an error, or a server that gave itself up
REFUSED_SECONDS = 60.0
POLL_SECONDS = 0.05
BLOCK = bytes(2**16)


def run(order: Order, announce: Announce) -> Report:
    """Each time the disk is filled up before a portion flows, and freed when Postgres has refused to write."""
    sent, refused = Sent(), 0
    with (
        small_disk() as disk,
        prepared(order.broker, data=disk / "postgres") as ground,
        closing(Producer(ground.kafka, sent)) as producer,
        Nursery(ground) as nursery,
    ):
        for number, portion in enumerate(portions(order)):
            if number == order.kills:
                producer.send(portion)
                break
            _fill(disk / "ballast")
            producer.send(portion)
            refused += _await_refusal(nursery)
            (disk / "ballast").unlink()
            ground.start_postgres()
            announce(f"disk full and freed, {number + 1} of {order.kills}")
            drain(ground, nursery, sent)
        drain(ground, nursery, sent)
        did = [f"filled a disk of {DISK_MEGABYTES} MB {order.kills} times; Postgres refused to write {refused} times; freed it"]
        report = hold("disk-full", did, ground.engine, sent)
        report.wrong += [] if refused == order.kills else ["the disk was never full for Postgres: this run shows nothing"]
        return report


@contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of its own, in memory.

    Raises:
        DrillError: when it cannot be mounted: that takes root and a system that allows it.
    """
    with tempfile.TemporaryDirectory(prefix="everfit-disk-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m,mode=755", "tmpfs", folder]
        unmount = ["umount", "--lazy", folder]
        try:
            subprocess.run(mount, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            told = getattr(error, "stderr", "") or str(error)
            raise DrillError(f"no small disk can be mounted here ({told.strip()}); run this drill as root") from error
        try:
            yield Path(folder).resolve()
        finally:
            subprocess.run(unmount, check=True)


def _fill(ballast: Path) -> None:
    """Write until nothing more fits."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(BLOCK):
                pass
        except OSError:
            return


def _await_refusal(nursery: Nursery) -> bool:
    """Let consumers try until a pass fails because nothing fits; False where none does."""
    before, deadline = len(nursery.log.read_bytes()), time.monotonic() + REFUSED_SECONDS
    while time.monotonic() < deadline:
        said = nursery.log.read_bytes()[before:]
        if any(told in said for told in REFUSED):
            return True
        nursery.tend()
        time.sleep(POLL_SECONDS)
    return False
