//! The hello.
//!
//! | field | bytes | |
//! |---|---|---|
//! | magic | 4 | `SfWi` |
//! | version | 2 | [`VERSION`](super::VERSION); all versions begin with these two fields |
//! | channel | 1 | 1 log, 2 contents |
//! | cluster | 16 | |
//! | node | 1 | the sender's id |
//! | settings | 3 | N, E, W |
//! | proposal | 8 | of the session's id |
//!
//! Numbers are little-endian.

use steadfast_protocol::{NodeId, SessionId, Settings};

use super::{Refusal, VERSION};
use crate::ClusterId;
use crate::bytes::Fields;
use crate::frame::{self, Channel, Frame, FrameError, Kind};

const MAGIC: [u8; 4] = *b"SfWi";

/// The longest hello of any version, in bytes: a later version may add fields.
pub(crate) const HELLO_LENGTH_MAX: usize = 256;

/// What each end says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub channel: Channel,
    pub cluster: ClusterId,
    pub node: NodeId,
    pub settings: Settings,
    pub proposal: SessionId,
}

impl Hello {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let settings = self.settings;
        // Both are at most the number of nodes, which is a byte.
        let byte = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
        frame::encode_short(Kind::Hello, out, |out| {
            out.extend(MAGIC);
            out.extend(VERSION.to_le_bytes());
            out.push(self.channel.to_byte());
            out.extend(self.cluster.0);
            out.push(self.node.0);
            out.extend([settings.nodes(), byte(settings.elect()), byte(settings.write())]);
            out.extend(self.proposal.0.to_le_bytes());
        });
    }

    /// The hello of a frame, or the reason to refuse a peer that this program cannot understand.
    ///
    /// # Errors
    /// The hello has this version, and is malformed.
    pub(super) fn decode(frame: Frame<'_>) -> Result<Result<Hello, Refusal>, FrameError> {
        let mut fields = Fields::new(frame.kind, frame.body);
        if fields.array::<4>()? != MAGIC {
            return Ok(Err(Refusal::NotANode));
        }
        let version = fields.u16()?;
        if version != VERSION {
            return Ok(Err(Refusal::Version(version)));
        }
        let channel = Channel::from_byte(fields.u8()?);
        let channel = channel.ok_or_else(|| fields.malformed("it names an unknown channel"))?;
        let cluster = ClusterId(fields.array()?);
        let node = NodeId(fields.u8()?);
        let [nodes, elect, write] = fields.array()?;
        let settings = Settings::new(nodes, elect, write)
            .map_err(|_| fields.malformed("its settings are those of no cluster"))?;
        let proposal = SessionId(fields.u64()?);
        fields.end()?;
        Ok(Ok(Hello { channel, cluster, node, settings, proposal }))
    }
}
