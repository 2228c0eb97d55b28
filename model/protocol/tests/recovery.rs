//! Recovery: the logs from which a node starts, and those that it refuses.

use steadfast_protocol::{
    Change, Checkpoint, ContentId, Counter, Decisions, Dot, Entry, EntryBody, Epoch, Fold,
    Identity, Incarnation, Lineages, LogIndex, NodeId, Parameters, Path, Place, Record,
    RecoverError, Replica, RequestId, Round, Sealed, Sequence, Settings, Stamp, State, StateError,
    Steadfast, VersionVector, Written,
};

const OWN: NodeId = NodeId(0);

fn identity() -> Identity {
    Identity { node: OWN, settings: Settings::new(3, 2, 2).expect("majorities") }
}

fn recover(records: &[Record]) -> Result<Replica, RecoverError> {
    Replica::recover(
        identity(),
        Incarnation::default(),
        Parameters::default(),
        records,
        [],
        &Steadfast,
    )
}

fn promise(round: u64) -> Record {
    Record::Promise(Epoch { round: Round(round), node: NodeId(1) })
}

/// The `sequence`th entry of a node, whose writer had seen these entries, of each node in order.
fn entry(origin: u8, sequence: u64, seen: &[Record]) -> Record {
    let mut all = Fold::default();
    seen.iter().filter(|it| it.entry().is_some()).for_each(|it| all.apply(it, &Steadfast));
    let origin = NodeId(origin);
    Record::Entry(Sealed::new(EntryBody {
        dot: Dot { origin, sequence: Sequence(sequence) },
        stamp: Stamp { fence: None, counter: Counter(sequence), origin },
        context: *all.vv(),
        incarnation: Incarnation(7),
        context_digest: all.digest(),
        replaces: Vec::new(),
        path: Path::new("a"),
        change: Change::Delete,
        request: RequestId { client: u64::from(origin.0), number: sequence },
    }) as Entry)
}

/// The last part of a state with one head. It covers the entries of node 1 up to `to`, builds on those up to `since`,
/// and its head is the entry `head`.
fn part(to: u64, since: Option<u64>, head: u64, after: Place) -> Record {
    let up_to = |sequence| {
        let mut vv = VersionVector::default();
        vv.insert(Dot { origin: NodeId(1), sequence: Sequence(sequence) });
        vv
    };
    Record::State(Sealed::new(State {
        since: up_to(since.unwrap_or_default()),
        vv: up_to(to),
        lineages: Lineages::default(),
        counter: Counter(to),
        forgotten: VersionVector::default(),
        heads: entry(1, head, &[]).entry().cloned().into_iter().collect(),
        requests: Vec::new(),
        after,
        until: None,
    }))
}

#[test]
fn a_log_without_the_identity_of_its_node_is_refused() {
    assert_eq!(recover(&[]), Err(RecoverError::NoIdentity));
    assert_eq!(recover(&[promise(1)]), Err(RecoverError::NoIdentity));
}

#[test]
fn recovery_refuses_a_log_that_no_node_could_have_written_and_names_its_first_wrong_record() {
    let own = Record::Identity(identity());
    let Record::Entry(first) = entry(1, 1, &[]) else {
        unreachable!("an entry was made");
    };
    let other = EntryBody { incarnation: Incarnation(8), ..(*first).clone() };
    let other = Record::Entry(Sealed::new(other));
    let after_a = Place::Path(Path::new("a"));
    for (rest, index, why) in [
        (vec![own.clone()], 2, "a second identity"),
        (vec![entry(3, 1, &[])], 2, "an entry of a node that is no member"),
        (vec![entry(1, 1, &[]), promise(1), entry(1, 1, &[])], 4, "an entry twice"),
        (vec![entry(1, 1, &[]), entry(1, 3, &[entry(1, 1, &[])])], 3, "an entry after a gap"),
        (
            vec![entry(1, 1, &[entry(2, 1, &[])])],
            2,
            "an entry without one that its writer had seen",
        ),
        (
            vec![entry(1, 1, &[]), entry(0, 1, &[other])],
            3,
            "an entry whose writer had seen another entry of that name",
        ),
        (vec![part(0, None, 1, Place::Start)], 2, "a head outside the vector of its state"),
        (vec![part(1, None, 1, after_a.clone())], 2, "a part without the one before it"),
        (vec![part(1, Some(1), 1, Place::Start)], 2, "a state that builds on missing entries"),
    ] {
        let records = [vec![own.clone()], rest].concat();
        let wrong = records[index - 1].to_string();
        let index = LogIndex(index as u64);
        let expected = RecoverError::OutOfOrder { index, record: wrong };
        assert_eq!(recover(&records), Err(expected), "{why}");
    }
}

#[test]
fn recovery_replays_a_log_without_gaps() {
    let first = entry(1, 1, &[]);
    let second = entry(0, 1, std::slice::from_ref(&first));
    let third = entry(1, 2, &[first.clone(), second.clone()]);
    let records = [Record::Identity(identity()), promise(1), first, second, promise(2), third];
    let replica = recover(&records).expect("a whole log");
    assert_eq!(replica.promise().round, Round(2));
    assert_eq!(replica.synced(), LogIndex(6));
    let held = [(0, 1), (1, 2), (2, 0)].map(|(node, to)| (NodeId(node), Sequence(to)));
    for (node, sequence) in held {
        assert_eq!(replica.synced_vv().sequence(node), sequence);
    }
}

#[test]
fn a_node_asks_for_the_contents_that_its_log_names_and_its_disk_lacks() {
    let content = |number| ContentId([number; 32]);
    let naming = |sequence, number| {
        let Record::Entry(entry) = entry(0, sequence, &[]) else {
            unreachable!("an entry was made");
        };
        let change = Change::Put(steadfast_protocol::Content::Named(content(number)));
        Record::Entry(Sealed::new(EntryBody { change, ..(*entry).clone() }))
    };
    let records = [Record::Identity(identity()), naming(1, 1), naming(2, 2)];
    let replica = Replica::recover(
        identity(),
        Incarnation::default(),
        Parameters::default(),
        &records,
        [content(1)],
        &Steadfast,
    );
    let wants = replica.expect("a whole log").wants().to_vec();
    assert_eq!(wants.iter().map(|it| it.content).collect::<Vec<_>>(), [content(2)]);
}

#[test]
fn a_recovered_node_knows_the_entries_of_the_requests_in_its_log() {
    let logged = entry(1, 1, &[]);
    let request = RequestId { client: 1, number: 1 };
    let replica = recover(&[Record::Identity(identity()), logged.clone()]).expect("a whole log");
    assert_eq!(replica.log().written_by(request).copied(), logged.entry().map(Written::of));
}

#[test]
fn recovery_takes_a_state_that_fits() {
    let records = [Record::Identity(identity()), part(1, None, 1, Place::Start)];
    let replica = recover(&records).expect("a whole log");
    assert_eq!(replica.synced_vv().sequence(NodeId(1)), Sequence(1));
    assert_eq!(replica.log().entries().count(), 1, "it holds the head");
}

#[test]
fn a_node_says_with_which_parameters_it_was_started() {
    let defaults = Parameters::default();
    let other = Parameters { retransmits: !defaults.retransmits, ..defaults };
    for parameters in [defaults, other] {
        let log = [Record::Identity(identity())];
        let replica =
            Replica::recover(identity(), Incarnation::default(), parameters, &log, [], &Steadfast);
        assert_eq!(replica.expect("a new log").parameters(), &parameters);
    }
}

/// Recovers without requests and without files.
struct Forgetful;

impl Decisions for Forgetful {
    fn replays(&self) -> bool {
        false
    }
    fn recovers_requests(&self) -> bool {
        false
    }
}

#[test]
fn a_variant_that_does_not_replay_recovers_neither_files_nor_requests() {
    let log = [Record::Identity(identity()), entry(1, 1, &[])];
    let request = RequestId { client: 1, number: 1 };
    let replica = recover(&log).expect("a whole log");
    assert!(!replica.files().is_empty() && replica.log().written_by(request).is_some());
    let variant = Replica::recover(
        identity(),
        Incarnation::default(),
        Parameters::default(),
        &log,
        [],
        &Forgetful,
    );
    let variant = variant.expect("a whole log");
    assert!(variant.files().is_empty() && variant.log().written_by(request).is_none());
    assert_eq!(variant.synced_vv(), replica.synced_vv());
}

/// The ways in which twins lose a part of a fold.
#[test]
fn a_fold_without_one_part_keeps_the_others() {
    let [first, second] = [entry(1, 1, &[]), entry(2, 3, &[])];
    let mut fold = Fold::default();
    let epoch = Epoch { round: Round(2), node: NodeId(1) };
    for record in [Record::Promise(epoch), first.clone(), second.clone()] {
        fold.apply(&record, &Steadfast);
    }
    let dots = |it: &Fold| it.heads().map(|it| it.dot).collect::<Vec<_>>();
    let [first, second] = [first, second].map(|it| it.entry().expect("an entry").clone());
    assert_eq!(dots(&fold), [second.dot, first.dot]);

    let lacking = fold.clone().without_requests();
    assert_eq!((lacking.requests().iter().count(), dots(&lacking)), (0, dots(&fold)));
    let lacking = fold.clone().without_promise();
    assert_eq!((lacking.promise(), dots(&lacking)), (Epoch::ZERO, dots(&fold)));
    let lacking = fold.clone().without_conflicts();
    assert_eq!((lacking.promise(), dots(&lacking)), (epoch, vec![second.dot]));

    let lacking = fold.clone().without_entries_of(NodeId(2));
    assert_eq!((lacking.vv().to_string(), dots(&lacking)), ("[0,1]".to_owned(), vec![first.dot]));
    let mut only_first = Fold::default();
    only_first.apply(&Record::Entry(first.clone()), &Steadfast);
    assert_eq!(lacking.lineages(), only_first.lineages());
    assert_ne!(fold.lineages(), only_first.lineages());
    assert_eq!(fold.counter(), Counter(3));
    assert_eq!(lacking.with_counter_of_heads().counter(), first.stamp.counter);

    let forgotten = *fold.vv();
    let forgetful = fold.clone().having_forgotten(&forgotten);
    assert_eq!((forgetful.forgotten(), dots(&forgetful)), (&forgotten, dots(&fold)));
}

#[test]
fn a_record_lists_the_entries_that_it_brings() {
    let written = entry(1, 1, &[]);
    let dots = |it: &Record| it.entries().map(|it| it.dot.origin).collect::<Vec<_>>();
    assert_eq!(dots(&written), [NodeId(1)]);
    assert_eq!(dots(&part(1, None, 1, Place::Start)), [NodeId(1)]);
    assert_eq!(dots(&promise(1)), []);
    let mut fold = Fold::default();
    [written, entry(2, 1, &[])].iter().for_each(|it| fold.apply(it, &Steadfast));
    let checkpoint = Checkpoint { identity: identity(), length: LogIndex(3), fold };
    assert_eq!(dots(&Record::Checkpoint(Sealed::new(checkpoint))), [NodeId(2), NodeId(1)]);
}

#[test]
fn lineages_of_entries_that_a_vector_does_not_cover_are_refused() {
    let made = |sequence, incarnation| {
        let Record::Entry(entry) = entry(1, sequence, &[]) else {
            unreachable!("an entry was made");
        };
        let incarnation = Incarnation(incarnation);
        Record::Entry(Sealed::new(EntryBody { incarnation, ..(*entry).clone() }))
    };
    let mut fold = Fold::default();
    [made(1, 7), made(2, 8)].iter().for_each(|it| fold.apply(it, &Steadfast));
    let Record::State(whole) = part(1, None, 1, Place::Start) else {
        unreachable!("a state was made");
    };
    let wrong = State { lineages: fold.lineages().clone(), ..(*whole).clone() };

    let records = [Record::Identity(identity()), Record::State(Sealed::new(wrong.clone()))];
    assert!(matches!(recover(&records), Err(RecoverError::OutOfOrder { .. })));

    let checkpoint = |spoil: &dyn Fn(&mut serde_json::Value)| {
        let mut value = serde_json::to_value(&fold).expect("a value");
        spoil(&mut value);
        let fold = serde_json::from_value(value).expect("a fold");
        let checkpoint = Checkpoint { identity: identity(), length: LogIndex(3), fold };
        recover(&[Record::Checkpoint(Sealed::new(checkpoint))]).map(drop)
    };
    let refused = Err(RecoverError::Checkpoint { why: StateError::Lineages });
    assert_eq!(checkpoint(&|_| {}), Ok(()));
    let of_one_entry = checkpoint(&|it| {
        it["vv"] = serde_json::json!([0, 1]);
        it["heads"] = serde_json::json!([]);
    });
    assert_eq!(of_one_entry, refused);
    let with_part = checkpoint(&|it| it["staged"] = serde_json::json!([wrong]));
    assert_eq!(with_part, refused);
}
