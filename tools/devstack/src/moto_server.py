"""moto, with DynamoDB's promise kept: one request at a time sees and changes a table.

moto checks a condition and applies the update in separate steps, and a failed
transaction puts back a copy of the whole table; under threads two conditional
writes can both win, and a transaction can undo somebody else's write.
"""

import sys
import threading

from moto.dynamodb.responses import DynamoHandler
from moto.server import main

_lock = threading.RLock()
_dispatch = DynamoHandler._dispatch


def _one_at_a_time(self, *args, **kwargs):
    with _lock:
        return _dispatch(self, *args, **kwargs)


DynamoHandler._dispatch = _one_at_a_time
main(sys.argv[1:])
