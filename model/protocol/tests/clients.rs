//! Requests of clients: the entries that a leader makes of them, and the answers.

use steadfast_protocol::{
    Base, Change, Consistency, Content, ContentId, Counter, Dot, Effect, Identity, Incarnation,
    Input, Intent, NodeId, Outcome, Parameters, Path, ReadRequest, Record, Refusal, Replica,
    RequestId, Role, Sequence, Settings, Steadfast, WriteRequest,
};

const OWN: NodeId = NodeId(0);

fn request(number: u64) -> RequestId {
    RequestId { client: 1, number }
}

fn dot(sequence: u64) -> Dot {
    Dot { origin: OWN, sequence: Sequence(sequence) }
}

struct Node(Replica);

impl Node {
    fn of(nodes: u8, elect: u8, write: u8) -> Node {
        let settings = Settings::new(nodes, elect, write).expect("legal settings");
        let identity = Identity { node: OWN, settings };
        let log = [Record::Identity(identity)];
        let parameters = Parameters { guards_elections: false, ..Parameters::default() };
        Node(
            Replica::recover(identity, Incarnation::default(), parameters, &log, [], &Steadfast)
                .expect("a new log"),
        )
    }

    /// A cluster of one, which leads.
    fn alone() -> Node {
        let mut node = Node::of(1, 1, 1);
        node.hear(Input::ElectionTimeout);
        node.sync();
        assert!(node.0.leads());
        node
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.0.step(&Steadfast, input, &mut effects);
        effects
    }

    fn hear(&mut self, input: Input) -> Vec<(RequestId, Outcome)> {
        let effects = self.step(input);
        let answer = |it| match it {
            Effect::Answer { request, outcome } => Some((request, outcome)),
            _ => None,
        };
        effects.into_iter().filter_map(answer).collect()
    }

    fn sync(&mut self) -> Vec<(RequestId, Outcome)> {
        self.hear(Input::Synced(self.0.log().length()))
    }

    fn write(
        &mut self,
        number: u64,
        path: &str,
        intent: Intent,
        base: Base,
    ) -> Vec<(RequestId, Outcome)> {
        let (request, path) = (request(number), Path::new(path));
        let seen = Counter::default();
        self.hear(Input::Write(WriteRequest { request, path, intent, base, seen }))
    }

    fn put(&mut self, number: u64, path: &str) -> Vec<(RequestId, Outcome)> {
        self.write(number, path, text(), Base::Visible)
    }

    fn read(&mut self, number: u64) -> Vec<(RequestId, Outcome)> {
        let (request, path) = (request(number), Path::new("a"));
        let consistency = Consistency::Linearizable;
        self.hear(Input::Read(ReadRequest { request, path, consistency }))
    }
}

fn text() -> Intent {
    Intent::Put(Content::Inline(b"text".as_slice().into()))
}

fn acknowledged(number: u64, sequence: u64) -> (RequestId, Outcome) {
    (request(number), Outcome::Acknowledged { dot: dot(sequence) })
}

fn refused(number: u64, why: Refusal) -> (RequestId, Outcome) {
    (request(number), Outcome::Refused(why))
}

#[test]
fn a_repeated_write_makes_one_entry_and_gets_an_answer_for_each_retry_after_the_first_answer() {
    let mut node = Node::alone();
    assert_eq!(node.put(0, "a"), []);
    assert_eq!(node.put(0, "a"), [], "it is not synced yet");
    assert_eq!(node.sync(), [acknowledged(0, 1)]);
    assert_eq!(node.put(0, "a"), [acknowledged(0, 1)], "its first answer may be lost");
    assert_eq!(node.0.log().entries().count(), 1);
}

#[test]
fn a_leader_keeps_a_repeated_read_once() {
    let mut node = Node::of(2, 1, 2);
    node.hear(Input::ElectionTimeout);
    node.sync();
    assert_eq!((node.read(0), node.read(0)), (vec![], vec![]), "nobody confirms it");
    let Role::Leader(leadership) = node.0.role() else {
        panic!("it leads");
    };
    assert_eq!(leadership.reads.len(), 1);
}

#[test]
fn an_entry_lists_the_versions_that_it_replaces_in_order_and_once() {
    let mut node = Node::alone();
    node.put(0, "a");
    node.put(1, "a");
    node.write(2, "a", text(), Base::Named(vec![dot(2), dot(1), dot(1)]));
    let entry = node.0.log().entry(dot(3)).expect("it was made");
    assert_eq!(entry.replaces, [dot(1), dot(2)]);
}

#[test]
fn a_write_that_names_an_unknown_version_of_its_path_is_refused() {
    let mut node = Node::alone();
    node.put(0, "a");
    node.sync();
    for (number, path, named) in [(1, "b", dot(1)), (2, "a", dot(9)), (3, "a", dot(0))] {
        let why = Refusal::UnknownVersion { dot: named, path: Path::new(path) };
        let answers = node.write(number, path, text(), Base::Named(vec![named]));
        assert_eq!(answers, [refused(number, why)]);
    }
}

#[test]
fn a_write_of_a_content_that_is_not_stored_is_refused() {
    let mut node = Node::alone();
    let content = ContentId([1; 32]);
    let put = || Intent::Put(Content::Named(content));
    let missing = refused(0, Refusal::ContentMissing { content });
    assert_eq!(node.write(0, "a", put(), Base::Visible), [missing]);
    node.hear(Input::Stored { content });
    assert_eq!(node.write(0, "a", put(), Base::Visible), []);
    assert_eq!(node.sync(), [acknowledged(0, 1)]);
}

const CONTENT: ContentId = ContentId([1; 32]);

/// A cluster of one, which leads and shows a content that was uploaded.
fn with_content() -> Node {
    let mut node = Node::alone();
    node.hear(Input::Stored { content: CONTENT });
    let put = Intent::Put(Content::Named(CONTENT));
    assert_eq!(node.write(0, "a", put, Base::Visible), [], "an upload needs no other look");
    assert_eq!(node.sync(), [acknowledged(0, 1)]);
    node
}

fn restore(number: u64) -> WriteRequest {
    let (request, path, intent) = (request(number), Path::new("a"), Intent::Restore(dot(1)));
    let (base, seen) = (Base::Visible, Counter::default());
    WriteRequest { request, path, intent, base, seen }
}

#[test]
fn a_restore_needs_a_copy_that_was_verified_for_it() {
    let mut node = with_content();
    let restore = |node: &mut Node, number| node.hear(Input::Write(restore(number)));
    let missing = |number| [refused(number, Refusal::ContentMissing { content: CONTENT })];
    assert_eq!(node.0.unverified(&self::restore(1), &Steadfast), Some(CONTENT));
    assert_eq!(restore(&mut node, 1), missing(1));
    node.hear(Input::Fetched { content: CONTENT });
    assert_eq!(restore(&mut node, 1), missing(1), "a fetch reads nothing");
    node.hear(Input::Verified { content: CONTENT });
    assert_eq!(node.put(2, "b"), []);
    assert_eq!(restore(&mut node, 3), missing(3), "another write came between them");
    node.hear(Input::Verified { content: CONTENT });
    assert_eq!(node.0.unverified(&self::restore(4), &Steadfast), None);
    assert_eq!(restore(&mut node, 4), []);
    assert_eq!(node.sync(), [acknowledged(2, 2), acknowledged(4, 3)]);
    assert_eq!(node.0.unverified(&self::restore(4), &Steadfast), None, "it is written");
    assert_eq!(restore(&mut node, 4), [acknowledged(4, 3)], "a retry needs no other look");
}

#[test]
fn a_copy_that_is_found_bad_counts_as_verified_no_more() {
    let mut node = with_content();
    node.hear(Input::Verified { content: CONTENT });
    node.hear(Input::Bad { content: CONTENT });
    assert_eq!(node.0.unverified(&restore(1), &Steadfast), None, "there is nothing to look at");
    node.hear(Input::Stored { content: CONTENT });
    assert_eq!(node.0.unverified(&restore(1), &Steadfast), Some(CONTENT));
    let missing = refused(1, Refusal::ContentMissing { content: CONTENT });
    assert_eq!(node.hear(Input::Write(restore(1))), [missing]);
}

#[test]
fn only_a_leader_looks_at_a_copy_for_a_write() {
    let mut node = with_content();
    node.hear(Input::LogFailed);
    assert_eq!(node.0.unverified(&restore(1), &Steadfast), None);
}

#[test]
fn an_upload_that_is_withdrawn_is_deleted_by_the_next_trim() {
    let trimmed = |withdraws: bool| {
        let mut node = Node::alone();
        let content = ContentId([2; 32]);
        node.hear(Input::Stored { content });
        node.put(0, "a");
        node.sync();
        if withdraws {
            node.hear(Input::Withdrawn { content });
        }
        node.step(Input::Trim);
        node.step(Input::Checkpointed).contains(&Effect::Discard { content })
    };
    assert_eq!([false, true].map(trimmed), [false, true]);
}

#[test]
fn a_deleted_path_is_not_deleted_again_unless_a_conflict_is_left() {
    let mut node = Node::alone();
    node.put(0, "a");
    node.write(1, "a", Intent::Delete, Base::Visible);
    node.sync();
    let gone = refused(2, Refusal::NotFound { path: Path::new("a") });
    assert_eq!(node.write(2, "a", Intent::Delete, Base::Visible), [gone]);
    // A delete with an empty base leaves the visible version as a conflict.
    node.put(3, "b");
    node.write(4, "b", Intent::Delete, Base::Named(Vec::new()));
    node.sync();
    let heads = node.0.files().heads(&Path::new("b")).to_vec();
    assert_eq!((heads.len(), &heads[0].change), (2, &Change::Delete));
    assert_eq!(node.write(5, "b", Intent::Delete, Base::Visible), []);
    assert_eq!(node.sync(), [acknowledged(5, 5)]);
}

#[test]
fn a_node_whose_newest_promise_is_its_own_names_no_leader() {
    let mut node = Node::of(2, 2, 2);
    node.hear(Input::ElectionTimeout);
    node.sync();
    let nobody = refused(0, Refusal::NotLeader { leader: None });
    assert_eq!(node.put(0, "a"), [nobody]);
}
