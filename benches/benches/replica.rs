//! `cargo bench -p steadfast-benches --bench replica`: a leader alone, with a million entries and a
//! follower that lags. A step costs the same however far the follower lags.

use std::fs;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use steadfast_protocol::{
    Ack, Base, Change, Content, Counter, Digest, Dot, Effect, Entry, EntryBody, Epoch, Identity,
    Incarnation, Input, Intent, Message, NodeId, Packet, Parameters, Path, Record, Replica,
    RequestId, Round, Sealed, Sequence, SessionId, Settings, Stamp, Steadfast, Tag, VersionVector,
    WriteRequest,
};

const ENTRIES: u64 = 1_000_000;
const PATHS: u64 = 10_000;
const LAGS: [u64; 3] = [10, 1_000, 100_000];
const OWN: NodeId = NodeId(0);
const PEER: NodeId = NodeId(1);
const SESSION: SessionId = SessionId(1);

/// A leader whose follower has acknowledged all but the newest entries.
struct Leader {
    replica: Replica,
    effects: Vec<Effect>,
    acknowledged: u64,
    written: u64,
}

fn path(number: u64) -> Path {
    Path::new(format!("file-{}", number % PATHS))
}

fn covering(sequence: u64) -> VersionVector {
    let mut vv = VersionVector::default();
    vv.insert(Dot { origin: OWN, sequence: Sequence(sequence) });
    vv
}

fn content() -> Content {
    Content::Inline(b"sixteen bytes...".as_slice().into())
}

/// The entry of this number, whose writer had seen those before it.
fn entry(number: u64) -> Entry {
    let replaces = number.checked_sub(PATHS).filter(|it| *it > 0);
    Sealed::new(EntryBody {
        dot: Dot { origin: OWN, sequence: Sequence(number) },
        stamp: Stamp { fence: None, counter: Counter(number), origin: OWN },
        context: covering(number - 1),
        incarnation: Incarnation::default(),
        context_digest: Digest::default(),
        replaces: replaces
            .map(|it| Dot { origin: OWN, sequence: Sequence(it) })
            .into_iter()
            .collect(),
        path: path(number),
        change: Change::Put(content()),
        request: RequestId { client: 1, number },
    })
}

impl Leader {
    fn new(lag: u64) -> Leader {
        let settings = Settings::new(2, 1, 1)
            .unwrap_or_else(|error| unreachable!("one vote and one copy of two: {error}"));
        let identity = Identity { node: OWN, settings };
        let mut records = vec![Record::Identity(identity)];
        records.push(Record::Promise(Epoch { round: Round(1), node: OWN }));
        records.extend((1..=ENTRIES).map(|number| Record::Entry(entry(number))));
        let replica = Replica::recover(
            identity,
            Incarnation::default(),
            Parameters::default(),
            &records,
            [],
            &Steadfast,
        )
        .unwrap_or_else(|error| unreachable!("a log as a node writes it: {error}"));
        let acknowledged = ENTRIES - lag;
        let mut leader = Leader { replica, effects: Vec::new(), acknowledged, written: ENTRIES };
        leader.hear(Input::ElectionTimeout);
        leader.sync();
        leader.hear(Input::LinkUp { peer: PEER, session: SESSION });
        leader.acknowledge();
        leader
    }

    fn hear(&mut self, input: Input) {
        self.replica.step(&Steadfast, input, &mut self.effects);
        black_box(&self.effects);
        self.effects.clear();
    }

    fn sync(&mut self) {
        self.hear(Input::Synced(self.replica.log().length()));
    }

    /// The follower says that it holds one entry more.
    fn acknowledge(&mut self) {
        self.acknowledged += 1;
        let vv = covering(self.acknowledged);
        let digest = self.replica.log().digest(&vv).unwrap_or_default();
        let (epoch, tag) = (self.replica.promise(), Tag::default());
        let ack = Ack {
            epoch,
            tag,
            vv,
            digest,
            staged: Vec::new(),
            entries: Vec::new(),
            state: None,
            payloads: Vec::new(),
        };
        let packet = Packet { session: SESSION, message: Sealed::new(Message::Ack(ack)) };
        self.hear(Input::Receive { from: PEER, packet });
    }

    /// A write, its sync, and an Ack: three steps.
    fn write(&mut self) {
        self.written += 1;
        let request = RequestId { client: 1, number: self.written };
        let (intent, base) = (Intent::Put(content()), Base::Visible);
        let (path, seen) = (path(self.written), self.replica.log().fold().counter());
        self.hear(Input::Write(WriteRequest { request, path, intent, base, seen }));
        self.sync();
        self.acknowledge();
    }
}

/// Resident memory of this process in bytes; 0 where the system does not say.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|it| it.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("leader of a million entries");
    group.throughput(Throughput::Elements(3));
    for lag in LAGS {
        let before = resident();
        let mut leader = Leader::new(lag);
        if lag == LAGS[0] {
            // The later ones use the memory of this one again.
            let bytes = resident().saturating_sub(before) / ENTRIES;
            println!("{bytes} bytes of memory per entry");
        }
        group.bench_function(BenchmarkId::new("write, sync, Ack; lag", lag), |bench| {
            bench.iter(|| leader.write());
        });
        group.bench_function(BenchmarkId::new("heartbeat; lag", lag), |bench| {
            bench.iter(|| leader.hear(Input::Tick));
        });
        assert_eq!(leader.written - leader.acknowledged, lag - 1, "it lags as far as before");
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
