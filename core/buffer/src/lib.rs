//! Bounded edges: the channels between stages of a topology.
//!
//! An edge carries batches and is bounded by the bytes they hold; a full edge makes its senders wait, which
//! is how a slow sink slows its sources down. Batches of one sender arrive in the order they were sent.
//!
//! **Invariant:** an edge never drops a batch that a receiver could still take.

mod memory;

pub use memory::{EdgeClosed, EdgeLevel, EdgeReceiver, EdgeSender, Room, WeakEdgeSender, memory};
