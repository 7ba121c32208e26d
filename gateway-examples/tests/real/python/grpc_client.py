"""Calls the service of grpc_server.py. Usage: grpc_client.py HOST:PORT CHECK"""

import hashlib
import os
import queue
import sys
import threading

import grpc

channel = grpc.insecure_channel(
    sys.argv[1],
    options=[("grpc.max_receive_message_length", 8 << 20), ("grpc.enable_retries", 0)],
)
TOKEN = bytes(range(256))


def method(kind, name):
    return getattr(channel, kind)(f"/test.Echo/{name}")


def unary(name, request=b"", **options):
    return method("unary_unary", name)(request, timeout=options.pop("timeout", 30), **options)


def refused(name, request=b"", path=None, **options):
    """The error of a call that must fail."""
    call = channel.unary_unary(path) if path else method("unary_unary", name)
    try:
        call(request, timeout=options.pop("timeout", 30), **options)
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"{name} was answered")


def equal(seen, wanted):
    assert seen == wanted, f"saw {str(seen)[:300]}, wanted {str(wanted)[:300]}"


def calls():
    """Every kind of call, with metadata in both directions."""
    metadata = (("x-token-bin", TOKEN), ("x-text", "plain"))
    answer, call = method("unary_unary", "Echo").with_call(b"hello", timeout=30, metadata=metadata)
    equal(answer, b"hello")
    first, last = dict(call.initial_metadata()), dict(call.trailing_metadata())
    equal((first["x-served-by"], first["x-first-bin"]), ("grpcio", TOKEN))
    equal((last["x-last"], last["x-last-bin"]), ("after the message", TOKEN[::-1]))
    equal(call.code(), grpc.StatusCode.OK)
    equal(unary("Echo", b""), b"")

    sent = [os.urandom(size) for size in (0, 1, 1_000, 100_000, 17)]
    answer = method("stream_unary", "Collect")(iter(sent), timeout=30)
    equal(answer.decode(), f"5 {hashlib.sha256(b''.join(sent)).hexdigest()}")
    equal(method("stream_unary", "Collect")(iter([]), timeout=30)[:2], b"0 ")

    received = list(method("unary_stream", "Spread")(b"1000 100", timeout=30))
    equal(received, [bytes([number % 256]) * 100 for number in range(1000)])
    equal(list(method("unary_stream", "Spread")(b"0 0", timeout=30)), [])


def conversation():
    """Each message is answered before the next one exists."""
    says = queue.Queue()
    heard = method("stream_stream", "Chat")(iter(says.get, None), timeout=60)
    for number in range(200):
        says.put(b"%d" % number)
        equal(next(heard), b"%d" % number)
    says.put(None)
    equal(list(heard), [])
    equal(heard.code(), grpc.StatusCode.OK)


def large():
    """Messages of 4 MiB, one by one and at once."""
    message = os.urandom(4 << 20)
    for _ in range(3):
        assert unary("Echo", message) == message
    futures = [method("unary_unary", "Echo").future(message, timeout=60) for _ in range(8)]
    assert all(future.result() == message for future in futures)
    received = list(method("unary_stream", "Spread")(b"4 %d" % (4 << 20), timeout=60))
    equal([len(message) for message in received], [4 << 20] * 4)
    answer = method("stream_unary", "Collect")(iter([message] * 4), timeout=60)
    equal(answer.decode(), f"4 {hashlib.sha256(message * 4).hexdigest()}")


def failures():
    """Every code, message and trailer of the server arrives as it was sent."""
    for code in grpc.StatusCode:
        if code is grpc.StatusCode.OK:
            continue
        error = refused("Fail", f"{code.value[0]} 100 % \u00e4rger: {code.name}".encode())
        equal((error.code(), error.details()), (code, f"100 % \u00e4rger: {code.name}"))
        equal(dict(error.trailing_metadata())["x-why-bin"], b"\x00\xff")
    error = refused("Missing")
    equal((error.code(), error.details()), (grpc.StatusCode.UNIMPLEMENTED, "Method not found!"))


def endings():
    """A deadline and a cancel end the call at both ends."""
    equal(refused("Wait", timeout=0.5).code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    equal(unary("Cancels"), b"yes")
    call = method("unary_stream", "WaitStreaming")(b"", timeout=30)
    equal(next(call), b"first")
    call.cancel()
    equal(call.code(), grpc.StatusCode.CANCELLED)
    equal(unary("Cancels"), b"yes")
    says = queue.Queue()
    call = method("stream_stream", "Chat")(iter(says.get, None), timeout=30)
    says.put(b"one")
    equal(next(call), b"one")
    call.cancel()
    says.put(None)
    equal(unary("Echo", b"still there"), b"still there")


def many():
    """Ten thousand calls, a hundred at a time, without one error."""
    room, failed = threading.Semaphore(100), []
    call = method("unary_unary", "Echo")

    def done(future, wanted):
        if future.exception() or future.result() != wanted:
            failed.append(future.exception())
        room.release()

    for number in range(10_000):
        room.acquire()
        wanted = b"%d" % number
        future = call.future(wanted, timeout=30)
        future.add_done_callback(lambda future, wanted=wanted: done(future, wanted))
    for _ in range(100):
        room.acquire()
    equal(failed, [])


def death():
    """A stream whose server dies is not taken for a whole one."""
    call = method("unary_stream", "Die")(b"", timeout=30)
    equal(next(call), b"first")
    try:
        list(call)
    except grpc.RpcError as error:
        assert error.code() is not grpc.StatusCode.OK, error
    else:
        raise AssertionError("the stream ended as if it were whole")


def refusals():
    """What the gateway itself says is gRPC too."""
    equal(unary("Limited", b"one"), b"one")
    error = refused("Limited")
    equal(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert int(dict(error.trailing_metadata() or error.initial_metadata())["retry-after"]) > 0
    assert error.details(), "it says why"
    equal(refused("Closed").code(), grpc.StatusCode.UNAUTHENTICATED)
    equal(refused("Gone").code(), grpc.StatusCode.UNAVAILABLE)
    equal(refused("", path="/no.Service/Here").code(), grpc.StatusCode.UNIMPLEMENTED)
    # The gateway's deadline is shorter than the client's; the server hears of it.
    equal(refused("Late").code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    equal(unary("Cancels"), b"yes")
    equal(unary("Echo", b"still there"), b"still there")


{check.__name__: check for check in
 (calls, conversation, large, failures, endings, many, death, refusals)}[sys.argv[2]]()
print(f"{sys.argv[2]}: as it should be")
