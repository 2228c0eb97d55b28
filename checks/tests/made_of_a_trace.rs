//! Made by `check trace-to-test` from a run of the scope three-elections.

use steadfast_cluster::replay;
use steadfast_guarantees::GuaranteeId;
use steadfast_guarantees::twins::variant;
use steadfast_trace::Trace;

#[test]
fn the_protocol_keeps_linearizable_in_ack_without_epoch() {
    let trace = Trace::parse(TRACE).expect("the trace of this test");
    let mut run = replay(&trace, None);
    for it in &trace.steps {
        if run.take(&it.step).is_err() {
            break;
        }
        assert!(!run.broken().contains(&GuaranteeId::Linearizable), "{} breaks G5", it.step);
    }
}

#[test]
fn ack_without_epoch_is_still_caught() {
    let trace = Trace::parse(TRACE).expect("the trace of this test");
    let mut run = replay(&trace, variant("ack-without-epoch"));
    for it in &trace.steps {
        run.take(&it.step).expect("a step that the twin can take");
    }
    assert!(run.broken().contains(&GuaranteeId::Linearizable), "the twin breaks G5");
}

const TRACE: &str = r##"{
  "breaks": ["G5"],
  "format": "steadfast-trace",
  "scope": {"bounds":{"crashes":0,"deletes":0,"drops":0,"duplicates":0,"elections":3,"lost_contents":0,"partitions":0,"paths":1,"reads":2,"replacements":0,"resolves":0,"retries":0,"rollbacks":0,"rot":0,"stale_reads":0,"ticks":0,"trims":0,"writes":1},"guards_elections":false,"link_events_apart":false,"name":"three-elections","named_contents":false,"network":"fifo","one_way_cuts":false,"pipelined_syncs":false,"settings":{"elect":2,"nodes":3,"write":2},"start":"led"},
  "steps": [
    {"note":"client reads a at n0","step":{"read":{"node":0,"path":0}}},
    {"note":"n0 -> n1: Append e1.n0 t1 vv[]","step":{"deliver":{"from":0,"nth":0,"to":1}}},
    {"note":"n2 times out","step":{"timeout":{"node":2}}},
    {"note":"n2 syncs its log","step":{"sync":{"node":2}}},
    {"note":"n2 -> n0: VoteRequest e2.n2 vv[]","step":{"deliver":{"from":2,"nth":0,"to":0}}},
    {"note":"n0 syncs its log","step":{"sync":{"node":0}}},
    {"note":"n0 times out","step":{"timeout":{"node":0}}},
    {"note":"n0 syncs its log","step":{"sync":{"node":0}}},
    {"note":"n0 -> n2: Append e1.n0 t1 vv[]","step":{"deliver":{"from":0,"nth":0,"to":2}}},
    {"note":"n0 -> n2: Vote e2.n2 vv[]","step":{"deliver":{"from":0,"nth":0,"to":2}}},
    {"note":"n0 -> n2: VoteRequest e3.n0 vv[]","step":{"deliver":{"from":0,"nth":0,"to":2}}},
    {"note":"n2 syncs its log","step":{"sync":{"node":2}}},
    {"note":"n2 -> n0: Reject, promised e2.n2","step":{"deliver":{"from":2,"nth":0,"to":0}}},
    {"note":"n2 -> n0: Append e2.n2 t0 vv[]","step":{"deliver":{"from":2,"nth":0,"to":0}}},
    {"note":"n2 -> n0: Vote e3.n0 vv[]","step":{"deliver":{"from":2,"nth":0,"to":0}}},
    {"note":"n2 times out","step":{"timeout":{"node":2}}},
    {"note":"n2 syncs its log","step":{"sync":{"node":2}}},
    {"note":"n2 -> n1: VoteRequest e2.n2 vv[]","step":{"deliver":{"from":2,"nth":0,"to":1}}},
    {"note":"n1 syncs its log","step":{"sync":{"node":1}}},
    {"note":"n2 -> n1: Append e2.n2 t0 vv[]","step":{"deliver":{"from":2,"nth":0,"to":1}}},
    {"note":"n2 -> n1: VoteRequest e4.n2 vv[]","step":{"deliver":{"from":2,"nth":0,"to":1}}},
    {"note":"n1 syncs its log","step":{"sync":{"node":1}}},
    {"note":"n1 -> n2: Vote e2.n2 vv[]","step":{"deliver":{"from":1,"nth":0,"to":2}}},
    {"note":"n1 -> n2: Ack e2.n2 t0 vv[]","step":{"deliver":{"from":1,"nth":0,"to":2}}},
    {"note":"n1 -> n2: Vote e4.n2 vv[]","step":{"deliver":{"from":1,"nth":0,"to":2}}},
    {"note":"client puts a at n2","step":{"write":{"kind":"put","node":2,"path":0}}},
    {"note":"n2 syncs its log","step":{"sync":{"node":2}}},
    {"note":"n2 -> n1: Append e4.n2 t0 vv[]","step":{"deliver":{"from":2,"nth":0,"to":1}}},
    {"note":"n1 -> n2: Ack e4.n2 t0 vv[]","step":{"deliver":{"from":1,"nth":0,"to":2}}},
    {"note":"n2 -> n1: Append e4.n2 t0 vv[0,0,1] +n2#1 a=\"v1\"","step":{"deliver":{"from":2,"nth":0,"to":1}}},
    {"note":"n1 syncs its log","step":{"sync":{"node":1}}},
    {"note":"n1 -> n2: Ack e4.n2 t0 vv[0,0,1]","step":{"deliver":{"from":1,"nth":0,"to":2}}},
    {"note":"client reads a at n0","step":{"read":{"node":0,"path":0}}},
    {"note":"n1 -> n0: Ack e1.n0 t1 vv[]","step":{"deliver":{"from":1,"nth":0,"to":0}}}
  ],
  "twin": "ack-without-epoch",
  "version": 1
}"##;
