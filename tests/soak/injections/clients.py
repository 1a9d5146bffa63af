"""Clients that ask too much of a node."""

import random
from collections.abc import Iterator
from contextlib import suppress

import grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.soak.injections.registry import injection
from tests.soak.stage import Stage


@injection()
def idle_streams(stage: Stage, draw: random.Random) -> None:
    """Twelve streams that send nothing hold the server's workers."""
    with stage.any_node(draw) as node:
        if not node:
            return
        channel = grpc.insecure_channel(f"127.0.0.1:{node.port}")
        with stage.timeline.during("idle streams", "stream", node.life), channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            streams = [stub.ServerReflectionInfo(_silent(stage)) for _ in range(12)]
            stage.hold(draw, 20)
            for stream in streams:
                with suppress(grpc.RpcError):
                    stream.cancel()


def _silent(stage: Stage) -> Iterator[reflection_pb2.ServerReflectionRequest]:
    stage.over.wait(25)
    yield from ()
