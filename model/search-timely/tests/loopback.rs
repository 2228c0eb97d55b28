//! Processes, here threads, that are connected over loopback.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use steadfast_search::{
    Ended, Look, Options, Place, Portable, Property, Report, Rule, Search, Steps, System,
};
use steadfast_search_timely::{Join, JoinError, Peers, Rounds, join};

/// Four counters.
struct Counters;

impl System for Counters {
    type Component = u64;
    type Change = u64;
    type Step = u16;
    type Follow = ();

    fn name(&self) -> String {
        "counters".into()
    }

    fn initial_states(&self) -> Vec<Vec<u64>> {
        vec![vec![0; 4]]
    }

    fn rules(&self) -> u16 {
        4
    }

    fn steps(&self, Rule(rule): Rule, state: &Look<'_, u64>, steps: &mut Steps<Self>) {
        if state[Place(rule)] < 15 {
            steps.step(rule).change(Place(rule), state[Place(rule)] + 1);
        }
    }

    fn changed(&self, _: &u64, to: &u64) -> u64 {
        *to
    }

    fn properties(&self) -> Vec<Property> {
        vec![Property::always("the counters are not 3, 5, 7 and 9")]
    }

    fn holds(&self, _: usize, state: &Look<'_, u64>) -> bool {
        (0..4).any(|it| state[Place(it)] != 3 + 2 * u64::from(it))
    }
}

impl Portable for Counters {
    fn encode(&self, component: &u64, bytes: &mut Vec<u8>) {
        bytes.extend(component.to_le_bytes());
    }

    fn decode(&self, bytes: &[u8]) -> Option<u64> {
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}

fn facts(report: &Report<Counters>) -> String {
    let levels: Vec<_> = report.levels.iter().map(|it| (it.states, it.generated, it.new)).collect();
    let paths: Vec<_> = report.findings.iter().map(|it| it.path.labels()).collect();
    format!("{:?} {} {} {levels:?} {paths:?}", report.ended, report.unique, report.generated)
}

/// Sockets with the addresses of all.
fn sockets(count: usize) -> (Vec<TcpListener>, Vec<String>) {
    let bind = |_| TcpListener::bind("127.0.0.1:0").expect("a port");
    let listeners: Vec<_> = (0..count).map(bind).collect();
    let address = |it: &TcpListener| it.local_addr().expect("an address").to_string();
    let addresses = listeners.iter().map(address).collect();
    (listeners, addresses)
}

/// How each of some processes joins, with the identity that it gives.
fn joined<T: Send>(
    identities: &[&'static str],
    then: impl Fn(usize, Result<Rounds, JoinError>) -> T + Sync,
) -> Vec<T> {
    let (listeners, addresses) = sockets(identities.len());
    let (addresses, then) = (&addresses, &then);
    thread::scope(|scope| {
        let start = |(index, listener): (usize, TcpListener)| {
            scope.spawn(move || {
                let identity = [("build", identities[index].to_owned())];
                let patience = Duration::from_secs(30);
                let joined =
                    join(Join { listener, addresses, index, identity: &identity, patience });
                then(index, joined)
            })
        };
        let threads: Vec<_> = listeners.into_iter().enumerate().map(start).collect();
        threads.into_iter().map(|it| it.join().expect("no panic")).collect()
    })
}

#[test]
fn processes_that_timely_connects_find_what_one_finds() {
    let alone = facts(&Search::new(&Counters, Options::default()).breadth_first());
    assert!(alone.contains("Complete") || alone.contains("complete"), "{alone}");
    for count in [2, 4] {
        let reports = joined(&vec!["1"; count], |_, rounds| {
            let mut rounds = rounds.expect("connected");
            facts(&Search::new(&Counters, Options::default()).breadth_first_shared(&mut rounds))
        });
        assert_eq!(reports, vec![alone.clone(); count]);
    }
}

/// Rounds must not mix, and long messages go in many pieces.
#[test]
fn a_round_brings_the_messages_of_that_round_and_no_others() {
    let done = joined(&["1"; 3], |index, rounds| {
        let mut rounds = rounds.expect("connected");
        for round in 0..40_u64 {
            let len = if round % 7 == 0 { 200_000 } else { usize::from(round % 5 == 3) * 3 };
            let message = |to: u64| vec![round << 32 | (index as u64) << 16 | to; len];
            let received = rounds.exchange((0..3).map(message).collect()).expect("received");
            for from in (0..3).filter(|it| *it != index) {
                let word = round << 32 | (from as u64) << 16 | index as u64;
                assert!(received[from] == vec![word; len], "round {round}, from {from}");
            }
        }
    });
    assert_eq!(done.len(), 3);
}

#[test]
fn a_process_that_goes_away_is_named_by_the_others() {
    let ends = joined(&["1"; 3], |index, rounds| {
        let mut rounds = rounds.expect("connected");
        if index == 1 {
            return String::new();
        }
        let report = Search::new(&Counters, Options::default()).breadth_first_shared(&mut rounds);
        match report.ended {
            Ended::Peer(why) => why,
            other => panic!("{other:?}"),
        }
    });
    // One of the two may end first, and the other then names it.
    assert!([0, 2].iter().all(|it| ends[*it].starts_with("process ")), "{ends:?}");
    assert!(ends.iter().any(|it| it.starts_with("process 1 (127.0.0.1:")), "{ends:?}");
}

#[test]
fn a_process_of_another_build_is_refused_by_name() {
    let errors = joined(&["1", "2"], |_, rounds| rounds.err().expect("refused").to_string());
    assert!(errors[0].contains("process 1 (127.0.0.1:"), "{errors:?}");
    assert!(errors[0].ends_with("has another build: 2, and this is 1"), "{errors:?}");
    assert!(errors[1].ends_with("has another build: 1, and this is 2"), "{errors:?}");
}

#[test]
fn a_process_that_never_comes_is_named() {
    let (mut listeners, mut addresses) = sockets(2);
    let listener = listeners.remove(0);
    let patience = Duration::from_millis(300);
    let identity = [];
    let late = Join { listener, addresses: &addresses, index: 0, identity: &identity, patience };
    let error = join(late).err().expect("nobody comes").to_string();
    assert!(error.starts_with(&format!("process 1 ({}) did not come", addresses[1])), "{error}");
    addresses[0] = "no-such-host.invalid:7000".into();
    let listener = listeners.remove(0);
    let late = Join { listener, addresses: &addresses, index: 1, identity: &identity, patience };
    let error = join(late).err().expect("nobody is there").to_string();
    assert!(error.starts_with("process 0 (no-such-host.invalid:7000) did not come"), "{error}");
}

#[test]
fn connections_that_are_not_of_a_search_are_closed_and_ignored() {
    let (mut listeners, addresses) = sockets(2);
    let (second, first) = (listeners.pop().expect("two"), listeners.pop().expect("two"));
    let mut stranger = TcpStream::connect(&addresses[0]).expect("connected");
    stranger.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("written");
    let patience = Duration::from_secs(30);
    let (addresses, identity) = (&addresses, &[]);
    thread::scope(|scope| {
        let second = scope.spawn(move || {
            join(Join { listener: second, addresses, index: 1, identity, patience }).is_ok()
        });
        let first = join(Join { listener: first, addresses, index: 0, identity, patience });
        assert!(first.is_ok() && second.join().expect("no panic"));
    });
}

#[test]
fn two_processes_with_one_number_are_noticed() {
    let (mut listeners, addresses) = sockets(3);
    let (addresses, identity, patience) = (&addresses, &[], Duration::from_secs(2));
    let third = listeners.pop().expect("three");
    let again = TcpListener::bind("127.0.0.1:0").expect("a port");
    let first = listeners.remove(0);
    thread::scope(|scope| {
        for listener in [third, again] {
            scope.spawn(move || {
                drop(join(Join { listener, addresses, index: 2, identity, patience }))
            });
        }
        let joined = join(Join { listener: first, addresses, index: 0, identity, patience });
        let error = joined.err().expect("two are one").to_string();
        assert!(error.contains("calls itself number 2 of 3"), "{error}");
    });
}
