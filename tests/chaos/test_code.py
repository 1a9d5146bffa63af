"""Two nodes with different code."""

from tests.chaos.audit import audit
from tests.chaos.nodes import Nodes


def test_job_that_one_node_lacks_is_run_by_the_other(nodes: Nodes) -> None:
    has_it = nodes.node(CHAOS_JOBS="elsewhere")
    lacks_it = nodes.node()
    before = len(nodes.runs("elsewhere"))
    nodes.works(lacks_it)
    nodes.until_runs("elsewhere", before + 5)
    assert {pid for _, job, _, pid in nodes.notes() if job == "elsewhere"} == {has_it.pid}
    audit(nodes)
    assert set(nodes.states("elsewhere")) <= {"success", "queued"}
