"""Which threads go first: the one that a window lives on, before all that compute for it."""

import os
import sys
import threading

SWITCH_S = 0.0005
NICENESS, HIGHEST_NICENESS = 10, 19


def go_first() -> None:
    """Let this thread, the window's, wait for others as little as can be; to be called once.

    They hand over Python's lock sooner. And torch divides none of this thread's work, which is
    short, but would wait until each of its helpers gets a core.
    """
    import torch

    sys.setswitchinterval(SWITCH_S)
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    # Each thread has a number of its own; new ones begin with that which any thread set last.
    others = threading.Thread(target=torch.set_num_threads, args=(usual,))
    others.start()
    others.join()


def step_back() -> None:
    """Leave a core to the window's thread when it wants one; for threads that compute.

    On Linux each thread has a priority of its own, which those that it starts inherit. Elsewhere
    nothing is changed.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        niceness = os.getpriority(os.PRIO_PROCESS, thread) + NICENESS
        os.setpriority(os.PRIO_PROCESS, thread, min(niceness, HIGHEST_NICENESS))
