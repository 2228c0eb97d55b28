//! Pictures of a run.
//!
//! ```
//! use steadfast_picture::{Change, Moment, NodeFacts, Role, Story, page, text};
//! use steadfast_protocol::NodeId;
//! use steadfast_trace::Step;
//!
//! let node = NodeId(0);
//! let moment = Moment {
//!     number: 1,
//!     step: Step::Timeout { node },
//!     words: "n0 asks for votes".to_owned(),
//!     nodes: vec![node],
//!     paths: Vec::new(),
//!     causes: Vec::new(),
//!     changes: vec![Change::Became { node, role: Role::Asks, epoch: "e1.n0".to_owned() }],
//! };
//! let story = Story {
//!     title: "an election".to_owned(),
//!     nodes: 1,
//!     start: vec![NodeFacts::default()],
//!     moments: vec![moment],
//!     ..Story::default()
//! };
//! assert!(text(&story).contains("n0 asks for votes"));
//! assert!(page(&story).contains("<title>an election"));
//! ```
//!
//! A [`Teller`] watches a cluster step by step, through the trait [`Scene`], and writes a
//! [`Story`]: lanes, messages with their fates, the changes of each step, client operations, and
//! where a guarantee breaks and why. Each picture is drawn from a story alone: a [`page()`], an
//! [`svg()`], a [`text()`], and the exports [`itf()`] and [`shiviz()`].

mod html;
mod itf;
mod layout;
mod marks;
mod markup;
mod scene;
mod shiviz;
mod story;
mod svg;
mod teller;
mod text;
mod words;

pub use html::{page, page_of_two};
pub use itf::itf;
pub use scene::Scene;
pub use shiviz::shiviz;
pub use story::{
    Break, Change, Fate, Flight, LogRecord, Moment, NodeFacts, Operation, Outcome, Role, Span,
    SpanKind, Story,
};
pub use svg::svg;
pub use teller::Teller;
pub use text::text;
