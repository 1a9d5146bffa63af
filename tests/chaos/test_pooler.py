"""A pooler stands between the nodes and the server, goes away, and comes back."""

from tests.chaos.audit import audit
from tests.chaos.nodes import Nodes
from tests.harness.pooler import Pooler


def test_pooler_is_killed(own_pooler: Pooler, nodes_behind_pooler: Nodes) -> None:
    """No statement may count on the session that the one before it had."""
    nodes = nodes_behind_pooler
    nodes.node()
    nodes.node()
    run, _ = nodes.run_of("attentive")
    own_pooler.kill()
    own_pooler.start()
    nodes.all_work()
    assert nodes.row(run)[0] == "running"
    nodes.let_finish(run)
    audit(nodes)
    assert (nodes.given_up(), nodes.outcome(run), nodes.lost()) == (0, "success", [])
