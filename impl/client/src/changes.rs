//! Changes as they happen: server-sent events, taken up again where a connection ended.

use bytes::{Buf, BytesMut};
use http::header::{ACCEPT, HeaderName};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::answer::Pieces;
use crate::call::Call;
use crate::path::with_parameters;
use crate::{Client, Error, Position, Version};

static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The longest line of an event: a change with the longest path, escaped, has some KiB.
const LINE_LENGTH_MAX: usize = 64 << 10;

/// The pause before a feed is taken up again.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// A file that has changed at a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The path.
    pub path: String,
    /// The version that it shows now.
    pub version: Version,
    /// Whether that is a deletion.
    pub deleted: bool,
    /// How many other versions it has.
    pub conflicts: u64,
}

/// An event of a feed, with the position behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A write.
    Change(Change, Position),
    /// The log does not hold the writes since the position of the feed any more: list the files. The feed goes on
    /// from this position.
    State(Position),
}

/// A feed of changes. It has no end.
#[derive(Debug)]
pub struct Changes {
    client: Client,
    prefix: String,
    at: Position,
    feed: Option<(Pieces, Parser)>,
    lost_at: Option<Instant>,
}

impl Client {
    /// The changes of files whose path begins with `prefix`, since a position, or from now on.
    ///
    /// # Errors
    /// No node answers.
    pub async fn changes(&self, since: Option<Position>, prefix: &str) -> Result<Changes, Error> {
        let at = match since {
            Some(at) => at,
            None => self.any_status().await?.vv,
        };
        let (client, prefix) = (self.clone(), prefix.to_owned());
        Ok(Changes { client, prefix, at, feed: None, lost_at: None })
    }
}

impl Changes {
    /// The position behind the last event, at which a later feed can go on.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.at
    }

    /// Waits for the next event. An interrupted feed is taken up again, at another node if need be.
    ///
    /// # Errors
    /// No node answers until the deadline, or an answer makes no sense. A further call asks again.
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            if self.feed.is_none() {
                self.feed = Some((self.begin().await?, Parser::default()));
            }
            let Some((pieces, parser)) = &mut self.feed else { continue };
            let lost = match parser.next() {
                Ok(Some(event)) => {
                    self.lost_at = None;
                    if let Some(event) = self.take(event)? {
                        return Ok(event);
                    }
                    continue;
                }
                Err(why) => return Err(self.nonsense(why)),
                Ok(None) => match pieces.arrived().await {
                    Ok(Some(piece)) => {
                        parser.bytes.extend_from_slice(&piece);
                        continue;
                    }
                    Ok(None) => Error::Lost {
                        node: pieces.node().to_owned(),
                        why: "it ended the feed".to_owned(),
                    },
                    Err(error) => error,
                },
            };
            self.feed = None;
            self.pause(lost).await?;
        }
    }

    async fn begin(&self) -> Result<Pieces, Error> {
        let at = self.at.to_string();
        let target = with_parameters("/changes", &[("since", &at), ("prefix", &self.prefix)]);
        let call = Call::get(target).local().header(ACCEPT, "text/event-stream")?;
        let answer = self.client.send(call.header(LAST_EVENT_ID.clone(), &at)?).await?;
        Ok(answer.body)
    }

    /// The event, and the position moved behind it.
    fn take(&mut self, event: RawEvent) -> Result<Option<Event>, Error> {
        let position = event.id.as_deref().map(str::parse::<Position>).transpose();
        let position = position.map_err(|it| self.nonsense(it))?;
        // Several files may change at once: then only the last of their events moves the position.
        let position = position.unwrap_or_else(|| self.at.clone());
        let taken = match event.kind.as_str() {
            "change" => {
                let change = serde_json::from_str(&event.data);
                let change = change.map_err(|it| self.nonsense(format!("{it}: {}", event.data)))?;
                Some(Event::Change(change, position.clone()))
            }
            "state" => Some(Event::State(position.clone())),
            // An event of a later version.
            _ => None,
        };
        self.at = position;
        Ok(taken)
    }

    fn nonsense(&mut self, why: impl Into<String>) -> Error {
        let node = self.feed.take().map(|it| it.0.node().to_owned()).unwrap_or_default();
        Error::Nonsense { node, why: why.into() }
    }

    /// Waits before a feed is taken up again; gives up when feeds end without an event for too long.
    async fn pause(&mut self, lost: Error) -> Result<(), Error> {
        let deadline = self.client.shared.options.deadline;
        let since = *self.lost_at.get_or_insert_with(Instant::now);
        if since.elapsed() >= deadline {
            self.lost_at = None;
            let last = Box::new(lost);
            return Err(Error::GaveUp { after: deadline, last, outcome_unknown: false, key: None });
        }
        sleep(PAUSE).await;
        Ok(())
    }
}

/// An event before its parts are understood.
#[derive(Debug, Default)]
struct RawEvent {
    kind: String,
    id: Option<String>,
    data: String,
}

/// Takes a stream of server-sent events apart (HTML standard, section 9.2.6), with bounded lines.
#[derive(Debug, Default)]
struct Parser {
    bytes: BytesMut,
    event: RawEvent,
    has_data: bool,
}

impl Parser {
    /// The next event; `None` if more bytes are needed.
    fn next(&mut self) -> Result<Option<RawEvent>, String> {
        while let Some(end) = self.bytes.iter().position(|it| *it == b'\n') {
            let line = self.bytes.split_to(end);
            self.bytes.advance(1);
            let line = std::str::from_utf8(&line).map_err(|_| "an event is not UTF-8")?;
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if std::mem::take(&mut self.has_data) || event.id.is_some() {
                    return Ok(Some(event));
                }
                continue;
            }
            self.field(line)?;
        }
        match self.bytes.len() > LINE_LENGTH_MAX {
            true => Err(format!("a line of an event has more than {LINE_LENGTH_MAX} bytes")),
            false => Ok(None),
        }
    }

    fn field(&mut self, line: &str) -> Result<(), String> {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.event.kind),
            "id" => self.event.id = Some(value.to_owned()),
            "data" if self.event.data.len() + value.len() > LINE_LENGTH_MAX => {
                return Err(format!("an event has more than {LINE_LENGTH_MAX} bytes"));
            }
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // A comment, which keeps the connection alive, or a field of a later version.
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&str]) -> Result<Vec<(String, Option<String>, String)>, String> {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        for piece in pieces {
            parser.bytes.extend_from_slice(piece.as_bytes());
            while let Some(event) = parser.next()? {
                events.push((event.kind, event.id, event.data));
            }
        }
        Ok(events)
    }

    #[test]
    fn events_are_the_same_however_their_bytes_arrive() {
        let text = ": hello\n\nevent: change\nid: n0-1\ndata: {\"a\":\n\
                    data:1}\n\nretry: 5\r\nevent:state\r\nid: n0-2\r\n\r\nevent: cut off\nid";
        let expected = [("change", "n0-1", "{\"a\":\n1}"), ("state", "n0-2", "")];
        let expected: Vec<_> = expected
            .map(|(kind, id, data)| (kind.to_owned(), Some(id.to_owned()), data.to_owned()))
            .into();
        assert_eq!(events(&[text]).as_ref(), Ok(&expected));
        for cut in 0..text.len() {
            assert_eq!(events(&[&text[..cut], &text[cut..]]).as_ref(), Ok(&expected), "{cut}");
        }
    }

    #[test]
    fn endless_lines_and_events_are_refused() {
        let long = "x".repeat(LINE_LENGTH_MAX + 1);
        assert!(events(&[&long]).is_err());
        let line = format!("data: {}\n", "x".repeat(LINE_LENGTH_MAX / 2 + 1));
        assert!(events(&[&line, &line]).is_err());
    }
}
