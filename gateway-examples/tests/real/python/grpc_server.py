"""A gRPC service whose messages are plain bytes. Usage: grpc_server.py PORT"""

import hashlib
import os
import sys
import threading
from concurrent import futures

import grpc

SERVICE = "test.Echo"
WAIT_AT_MOST = 30

cancelled = threading.Semaphore(0)


def echo(request, context):
    """Answers the message, and sends the caller's binary metadata back, before and after it."""
    sent = dict(context.invocation_metadata())
    token = sent.get("x-token-bin", b"")
    context.send_initial_metadata((("x-served-by", "grpcio"), ("x-first-bin", token)))
    context.set_trailing_metadata((("x-last-bin", token[::-1]), ("x-last", "after the message")))
    return request


def fail(request, context):
    """Fails with the code and the message that the request names."""
    code, _, details = request.decode().partition(" ")
    context.set_trailing_metadata((("x-why-bin", b"\x00\xff"),))
    context.abort(next(known for known in grpc.StatusCode if known.value[0] == int(code)), details)


def collect(requests, context):
    """Counts and digests a stream of messages."""
    digest, count = hashlib.sha256(), 0
    for request in requests:
        digest.update(request)
        count += 1
    return f"{count} {digest.hexdigest()}".encode()


def spread(request, context):
    """Sends so many messages of so many bytes."""
    count, size = map(int, request.split())
    for number in range(count):
        yield bytes([number % 256]) * size


def chat(requests, context):
    """Answers every message before it reads the next."""
    yield from requests


def wait(request, context):
    """Answers only when nobody waits any more."""
    over = threading.Event()
    context.add_callback(over.set)
    if over.wait(WAIT_AT_MOST):
        cancelled.release()
    return b""


def wait_streaming(request, context):
    """One message, then silence until nobody waits any more."""
    yield b"first"
    yield wait(request, context)


def cancels(request, context):
    """Whether a cancelled call, not yet told of, is heard of in time."""
    return b"yes" if cancelled.acquire(timeout=10) else b"no"


def die(request, context):
    """One message, then the process ends."""
    yield b"first"
    threading.Timer(0.3, os._exit, [1]).start()
    threading.Event().wait(WAIT_AT_MOST)


HANDLERS = {
    "Echo": grpc.unary_unary_rpc_method_handler(echo),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Spread": grpc.unary_stream_rpc_method_handler(spread),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Wait": grpc.unary_unary_rpc_method_handler(wait),
    "WaitStreaming": grpc.unary_stream_rpc_method_handler(wait_streaming),
    "Late": grpc.unary_unary_rpc_method_handler(wait),
    "Limited": grpc.unary_unary_rpc_method_handler(echo),
    "Cancels": grpc.unary_unary_rpc_method_handler(cancels),
    "Die": grpc.unary_stream_rpc_method_handler(die),
}

server = grpc.server(
    futures.ThreadPoolExecutor(max_workers=64),
    options=[("grpc.max_receive_message_length", 8 << 20), ("grpc.so_reuseport", 0)],
)
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, HANDLERS),))
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
server.wait_for_termination()
