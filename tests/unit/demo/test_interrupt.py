"""Being interrupted while processes are started, as by a terminal: the signal goes to the whole process group."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROUNDS = """
import logging, os, random, signal, sys, threading, time
from pathlib import Path
from glideinwms.demo import process
from glideinwms.demo.interrupt import interruptible

def strike():
    # or the kernel may give it to this thread, and Python's handler runs while the main thread holds it back
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    os.killpg(os.getpgrp(), signal.SIGINT)

rng, who = random.Random(1), process.account()
with interruptible():
    for _ in range(100):
        timer = threading.Timer(rng.uniform(0.001, 0.01), strike)
        end, children = time.monotonic() + 60, []
        try:
            timer.start()
            while time.monotonic() < end:
                children.append(process.spawn(["true"], {}, who, Path(sys.argv[1])))
        except KeyboardInterrupt:
            pass
        else:
            sys.exit("the interrupt was lost")
        finally:
            timer.join()
            for child in children:
                child.wait()
"""


def test_an_interrupt_in_the_middle_of_a_fork_is_felt_and_makes_no_noise(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", ROUNDS, str(tmp_path / "log")]
    done = subprocess.run(argv, capture_output=True, text=True, start_new_session=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
