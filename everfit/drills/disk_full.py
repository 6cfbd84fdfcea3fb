"""Fill the disk that Postgres writes to while events are sent, and free it again."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from everfit.drills.catalogue import Announce, Order
from everfit.drills.consumer_pool import ConsumerPool
from everfit.drills.guarantee_report import Report, check_guarantee
from everfit.drills.test_bed import open_test_bed
from everfit.drills.traffic import Producer, Sent
from everfit.drills.workload import drain, portions
from everfit.errors import DrillError

DISK_MEGABYTES = 320
REFUSED = (b"No space left on device", b"server closed the connection")  # an error, or a server that shut down
REFUSED_SECONDS = 60.0
POLL_SECONDS = 0.05
BLOCK = bytes(2**16)


def run(order: Order, announce: Announce) -> Report:
    """Fill the disk before each portion is sent, and free it when Postgres has refused to write."""
    sent, refused = Sent(), 0
    with (
        small_disk() as disk,
        open_test_bed(order.broker, data=disk / "postgres") as bed,
        closing(Producer(bed.kafka, sent)) as producer,
        ConsumerPool(bed) as pool,
    ):
        for number, portion in enumerate(portions(order)):
            if number == order.kills:
                producer.send(portion)
                break
            _fill(disk / "ballast")
            producer.send(portion)
            refused += _await_refusal(pool)
            (disk / "ballast").unlink()
            bed.start_postgres()
            announce(f"disk full and freed, {number + 1} of {order.kills}")
            drain(bed, pool, sent)
        drain(bed, pool, sent)
        did = [f"filled a disk of {DISK_MEGABYTES} MB {order.kills} times; Postgres refused to write {refused} times; freed it"]
        report = check_guarantee("disk-full", did, bed.engine, sent)
        report.wrong += [] if refused == order.kills else ["the disk was never full for Postgres: this run shows nothing"]
        return report


@contextmanager
def small_disk() -> Iterator[Path]:
    """A small file system in memory.

    Raises:
        DrillError: when it cannot be mounted, which needs root and a system that allows it.
    """
    with tempfile.TemporaryDirectory(prefix="everfit-disk-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m,mode=755", "tmpfs", folder]
        unmount = ["umount", "--lazy", folder]
        try:
            subprocess.run(mount, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            message = getattr(error, "stderr", "") or str(error)
            raise DrillError(f"a small disk cannot be mounted here ({message.strip()}); run this drill as root") from error
        try:
            yield Path(folder).resolve()
        finally:
            subprocess.run(unmount, check=True)


def _fill(ballast: Path) -> None:
    """Write until the disk is full."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(BLOCK):
                pass
        except OSError:
            return


def _await_refusal(pool: ConsumerPool) -> bool:
    """Let consumers run until a pass fails because the disk is full; False where none does in time."""
    before, deadline = len(pool.log.read_bytes()), time.monotonic() + REFUSED_SECONDS
    while time.monotonic() < deadline:
        output = pool.log.read_bytes()[before:]
        if any(message in output for message in REFUSED):
            return True
        pool.tend()
        time.sleep(POLL_SECONDS)
    return False
