"""A client made from the seed's proto alone: PYTHON seed_client.py FOLDER_OF_STUBS ADDRESS."""

import sys

import grpc

sys.path.insert(0, sys.argv[1])
import seed_pb2
import seed_pb2_grpc

with grpc.insecure_channel(sys.argv[2]) as channel:
    stub = seed_pb2_grpc.MemoryServiceStub(channel)

    def show() -> None:
        status = stub.GetSchedulerStatus(seed_pb2.GetSchedulerStatusRequest())
        print(status.scheduler_running, [(job.job_name, job.is_paused) for job in status.jobs])

    show()
    print(stub.PauseJob(seed_pb2.PauseJobRequest(job_name="nightly")).success)
    show()
    print(stub.ResumeJob(seed_pb2.ResumeJobRequest(job_name="nightly")).success)
    show()
    print(stub.PauseJob(seed_pb2.PauseJobRequest(job_name="nope")).error)
