//! Values that are written and read again, those that are told apart by hashes, and those that a person reads.

use std::hash::{DefaultHasher, Hash, Hasher};

use steadfast_protocol::{
    Change, Content, ContentId, Counter, Digest, Dot, Entry, EntryBody, Epoch, Fold, Identity,
    Incarnation, Lineages, NodeId, NodeSet, Path, Place, Record, Replica, RequestId, Round, Sealed,
    Sequence, Settings, Stamp, State, Steadfast, VersionVector,
};

fn dot(origin: u8, sequence: u64) -> Dot {
    Dot { origin: NodeId(origin), sequence: Sequence(sequence) }
}

fn entry(origin: u8, sequence: u64, path: &str, change: Change) -> Entry {
    let fence = Some(Epoch { round: Round(1), node: NodeId(0) });
    Sealed::new(EntryBody {
        dot: dot(origin, sequence),
        stamp: Stamp { fence, counter: Counter(sequence), origin: NodeId(origin) },
        context: VersionVector::default(),
        incarnation: Incarnation(3),
        context_digest: Digest::default(),
        replaces: Vec::new(),
        path: Path::new(path),
        change,
        request: RequestId { client: u64::from(origin), number: sequence },
    })
}

fn put(origin: u8, sequence: u64, path: &str) -> Entry {
    entry(origin, sequence, path, Change::Put(Content::Inline(b"text".as_slice().into())))
}

/// The fold of a log with two versions of "a", one of "b" and a part of a state.
fn fold() -> Fold {
    let identity = Identity { node: NodeId(0), settings: Settings::new(3, 2, 2).expect("legal") };
    let mut vv = VersionVector::default();
    vv.insert(dot(2, 1));
    let part = State {
        since: VersionVector::default(),
        vv,
        lineages: Lineages::default(),
        counter: Counter(1),
        forgotten: VersionVector::default(),
        heads: Vec::new(),
        requests: Vec::new(),
        after: Place::Start,
        until: Some(Place::Path(Path::new("c"))),
    };
    let log = [
        Record::Identity(identity),
        Record::Promise(Epoch { round: Round(1), node: NodeId(0) }),
        Record::Entry(put(0, 1, "a")),
        Record::Entry(put(1, 1, "a")),
        Record::Entry(put(0, 2, "b")),
        Record::State(Sealed::new(part)),
    ];
    let replica = Replica::recover(
        identity,
        Incarnation::default(),
        Default::default(),
        &log,
        [],
        &Steadfast,
    );
    replica.expect("a whole log").fold().clone()
}

#[test]
fn a_fold_is_read_as_it_was_written() {
    let fold = fold();
    assert_eq!((fold.heads().count(), fold.files().len()), (3, 2));
    assert_eq!(fold.counter(), Counter(2));
    let bytes = postcard::to_allocvec(&fold).expect("bytes");
    assert_eq!(postcard::from_bytes::<Fold>(&bytes).expect("a fold"), fold);
    let text = serde_json::to_string(&fold).expect("text");
    assert_eq!(serde_json::from_str::<Fold>(&text).expect("a fold"), fold);
}

#[test]
fn a_version_vector_has_at_most_seven_counts() {
    let mut vv = VersionVector::default();
    for origin in [0, 3, 6] {
        let text = serde_json::to_string(&vv).expect("text");
        assert_eq!(serde_json::from_str::<VersionVector>(&text).expect("a vector"), vv);
        vv.insert(dot(origin, 5));
    }
    assert_eq!(serde_json::to_string(&vv).expect("text"), "[5,0,0,5,0,0,5]");
    assert_eq!(serde_json::from_str::<VersionVector>("[5,0,0,5,0,0,5]").expect("a vector"), vv);
    let refused = serde_json::from_str::<VersionVector>("[1,1,1,1,1,1,1,1]").expect_err("eight");
    assert!(refused.to_string().contains("at most 7 counts"), "{refused}");
}

#[test]
fn contents_are_short_for_machines_and_legible_for_people() {
    let id = ContentId([0xab; 32]);
    let text = serde_json::to_string(&id).expect("text");
    assert_eq!(text, format!("\"{}\"", "ab".repeat(32)));
    assert_eq!(serde_json::from_str::<ContentId>(&text).expect("an id"), id);
    let bytes = postcard::to_allocvec(&id).expect("bytes");
    assert_eq!(bytes, [0xab; 32]);
    assert_eq!(postcard::from_bytes::<ContentId>(&bytes).expect("an id"), id);

    let inline = Content::Inline([7, 200].as_slice().into());
    let text = serde_json::to_string(&inline).expect("text");
    assert_eq!(text, r#"{"Inline":[7,200]}"#);
    assert_eq!(serde_json::from_str::<Content>(&text).expect("a content"), inline);
    let bytes = postcard::to_allocvec(&inline).expect("bytes");
    assert_eq!(bytes, [0, 2, 7, 200], "the variant, the length and the bytes");
    assert_eq!(postcard::from_bytes::<Content>(&bytes).expect("a content"), inline);
}

#[test]
fn an_id_of_a_content_is_64_hexadecimal_digits() {
    for digits in ["ab".repeat(31), "+b".repeat(32), "ag".repeat(32), "\u{e4}".repeat(32)] {
        let refused = serde_json::from_str::<ContentId>(&format!("\"{digits}\""));
        assert!(refused.is_err(), "{digits}");
    }
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A search takes two states for one if their hashes are equal.
#[test]
fn logs_files_and_requests_that_differ_have_different_hashes() {
    let identity = Identity { node: NodeId(0), settings: Settings::new(3, 2, 2).expect("legal") };
    let recovered = |entry: Entry| {
        let log = [Record::Identity(identity), Record::Entry(entry)];
        Replica::recover(identity, Incarnation::default(), Default::default(), &log, [], &Steadfast)
            .expect("a whole log")
    };
    let [one, again, other] = ["a", "a", "b"].map(|path| recovered(put(1, 1, path)));
    let requests = |it: &Replica| hash_of(it.fold().requests());
    assert_eq!(hash_of(one.log()), hash_of(again.log()));
    assert_eq!(hash_of(one.files()), hash_of(again.files()));
    assert_eq!(requests(&one), requests(&again));
    assert_ne!(hash_of(one.log()), hash_of(other.log()));
    assert_ne!(hash_of(one.files()), hash_of(other.files()));
    assert_ne!(requests(&one), requests(&other));
}

#[test]
fn a_person_reads_short_names() {
    let content = ContentId([0xab; 32]);
    let epoch = Epoch { round: Round(2), node: NodeId(1) };
    let stamp = Stamp { fence: Some(epoch), counter: Counter(3), origin: NodeId(1) };
    let set: NodeSet = [NodeId(0), NodeId(2)].into_iter().collect();
    let entry = entry(0, 1, "a", Change::Delete);
    let words = [
        NodeId(1).to_string(),
        epoch.to_string(),
        Epoch::ZERO.to_string(),
        dot(1, 4).to_string(),
        stamp.to_string(),
        set.to_string(),
        content.to_string(),
        Change::Delete.to_string(),
        Change::Put(Content::Inline(b"v1".as_slice().into())).to_string(),
        Change::Put(Content::Named(content)).to_string(),
        entry.to_string(),
        Path::new("a/b").to_string(),
    ];
    let expected = [
        "n1",
        "e2.n1",
        "e0",
        "n1#4",
        "e2.n1/3@n1",
        "{n0,n2}",
        "abababab",
        "deleted",
        "\"v1\"",
        "content abababab",
        "n0#1 a=deleted",
        "a/b",
    ];
    assert_eq!(words, expected);
}
