"""moto, with DynamoDB's promise kept: one request at a time sees and changes a table.

moto checks a condition and applies the update in separate steps, and a failed
transaction puts back a copy of the whole table; under threads two conditional
writes can both win, and a transaction can undo somebody else's write.

And SQS's: no message is lost. moto deletes one by making a list of the others and putting
it in the place of the old one; what another thread has sent meanwhile is gone.

And with queues that hold thousands of messages: moto counts all of them, three times,
for every message that is sent or received. Here they are counted when somebody asks.
"""

import sys
import threading

from moto.dynamodb.responses import DynamoHandler
from moto.server import main
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Queue, SQSBackend

_lock = threading.RLock()
_dispatch = DynamoHandler._dispatch


def _one_at_a_time(self, *args, **kwargs):
    with _lock:
        return _dispatch(self, *args, **kwargs)


DynamoHandler._dispatch = _one_at_a_time



def _delete_in_place(self, receipt_handle):
    # The lock under which messages are added.
    with self._messages_lock:
        if receipt_handle in self.deleted_messages:
            return
        for message in self._messages:
            if message.had_receipt_handle(receipt_handle):
                self.pending_messages.discard(message)
                self.deleted_messages.update(message.all_receipt_handles)
                self._messages.remove(message)
                return
        raise ReceiptHandleIsInvalid()


Queue.delete_message = _delete_in_place

_counts = {
    "ApproximateNumberOfMessages": "approximate_number_of_messages",
    "ApproximateNumberOfMessagesDelayed": "approximate_number_of_messages_delayed",
    "ApproximateNumberOfMessagesNotVisible": "approximate_number_of_messages_not_visible",
}
Queue.BASE_ATTRIBUTES = [name for name in Queue.BASE_ATTRIBUTES if name not in _counts]
_get_queue_attributes = SQSBackend.get_queue_attributes


def _counted_when_asked(self, queue_name, attribute_names):
    others = [name for name in attribute_names if name not in _counts]
    attributes = dict(_get_queue_attributes(self, queue_name, others))
    queue = self.get_queue(queue_name)
    for name, counted in _counts.items():
        if name in attribute_names or "All" in attribute_names:
            attributes[name] = getattr(queue, counted)
    return attributes


SQSBackend.get_queue_attributes = _counted_when_asked
main(sys.argv[1:])
