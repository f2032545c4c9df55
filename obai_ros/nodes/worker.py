# SPDX-License-Identifier: Apache-2.0
"""The thread of a node's own, for what takes long."""

import os
import threading
import traceback


def start_worker(node, work) -> None:
    """Run work() in a thread that ends with the process, and the process with it if it fails.

    A signal ends the context of a node at once, also under the worker's hands: what it raises
    after that is no fault.
    """
    def guarded():
        try:
            work()
        except Exception:
            if node.context.ok():
                traceback.print_exc()
                os._exit(1)

    threading.Thread(target=guarded, daemon=True).start()
